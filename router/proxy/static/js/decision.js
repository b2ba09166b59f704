// Which way a request would go now, and why: asked from the router while settings are edited. Nothing is called.

import { postJson } from "./api.js";
import { byId, el, settled } from "./dom.js";
import { fromThrown } from "./faults.js";

const BUCKETS = 1_000_000;
const REASONS = {
  specified: "you named this model",
  bare_model: "you named the model, its provider was found",
  auto: "picked by the router",
  alias: "another name for it",
  weight: "drawn by weight",
  single: "the route’s only variant",
  holdout: "held out of the experiment",
  layer: "outside the experiment’s layer",
  coverage: "outside the experiment’s coverage",
  disabled: "the experiment is switched off",
  guardrail: "a guardrail stopped the experiment",
  forced: "forced by the caller",
};

export class DecisionPanel {
  constructor(settings, draft) {
    this.settings = settings;
    this.draft = draft;
    this.place = byId("decision");
    this.ask = settled(() => this.refresh(), 200);
  }

  async refresh() {
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    const text = this.draft().trim();
    const messages = text ? [{ role: "user", content: text }] : [];
    try {
      const explained = await postJson("/v1/router/explain", { ...this.settings.routing, messages }, signal);
      this.place.replaceChildren(...decisionView(explained));
    } catch (error) {
      if (error.name === "AbortError") return;
      const fault = fromThrown(error);
      this.place.replaceChildren(
        el("p", { class: "empty" }, fault.title),
        fault.remedy ? el("p", { class: "empty" }, fault.remedy) : "",
      );
    }
  }
}

function decisionView({ decision, plan }) {
  return [
    el("div", { class: "verdict" },
      el("span", { class: "verdict-model" }, decision.model),
      el("span", { class: "verdict-why" }, REASONS[decision.reason] ?? decision.reason)),
    ...(decision.router ? [el("h3", {}, "Conditions, in order"), conditionList(decision)] : []),
    el("h3", {}, "Draw"),
    facts(decision),
    el("h3", {}, "Plan"),
    planList(plan),
    ...(decision.warnings?.length ? [el("p", { class: "remark" }, decision.warnings.join(" "))] : []),
  ];
}

function conditionList({ conditions, route_id: route }) {
  const rows = conditions.map(({ route_id: id, expression, matched, error }) =>
    el("li", { class: matched ? "met" : "unmet" },
      el("span", { class: "mark", "aria-label": matched ? "true" : "false" }, matched ? "✓" : "✗"),
      el("span", { class: "route" }, id),
      el("code", {}, expression),
      error && el("span", { class: "why" }, error)));
  if (!conditions.some((condition) => condition.matched))
    rows.push(el("li", { class: "met" },
      el("span", { class: "mark", "aria-label": "true" }, "✓"),
      el("span", { class: "route" }, route ?? "default"),
      el("span", { class: "why" }, conditions.length ? "none of the above: the default route" : "the only route")));
  return el("ol", { class: "conditions" }, ...rows);
}

function facts(decision) {
  const unit = decision.unit ? `${decision.unit}, ${decision.sticky ? "always the same variant" : "not sticky"}` : null;
  const rows = [
    ["Route", decision.route_id],
    ["Variant", decision.variant_id],
    ["Propensity", decision.propensity === null ? null : `${(decision.propensity * 100).toFixed(1).replace(".0", "")} %`],
    ["Unit", unit ?? (decision.router ? "none: dealt anew for each request" : null)],
    ["Experiment", decision.experiment],
  ].filter(([, value]) => value);
  const list = el("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  if (decision.bucket !== null) list.append(el("dt", {}, "Bucket"), el("dd", {}, bucket(decision.bucket)));
  return rows.length || decision.bucket !== null ? list : el("p", { class: "empty" }, "No draw: the model was named.");
}

function bucket(number) {
  const mark = el("span", { class: "bucket-mark" });
  mark.style.insetInlineStart = `${(number / BUCKETS) * 100}%`;
  const words = `${number.toLocaleString("en")} of ${BUCKETS.toLocaleString("en")}`;
  return el("span", { class: "bucket" }, el("span", { class: "bucket-line", "aria-hidden": "true" }, mark), words);
}

function planList(plan) {
  const rows = plan.map(({ model, skipped }, index) =>
    el("li", { class: skipped ? "skipped" : "" },
      el("span", { class: "step" }, String(index + 1)),
      el("span", { class: "route" }, model),
      el("span", { class: "why" }, skipped ? `passed over: ${skipped}` : index === 0 ? "first" : "fallback")));
  return el("ol", { class: "plan" }, ...rows);
}
