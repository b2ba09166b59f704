// Where the time of each turn went, by this browser's clock, and who was tried.

import { byId, duration, el } from "./dom.js";

const STAGES = {
  voice: [
    ["ended", "End of turn"],
    ["transcript", "Transcript"],
    ["text", "First text"],
    ["audio", "First audio"],
    ["heard", "First sound"],
    ["done", "Complete"],
  ],
  typed: [
    ["text", "First text"],
    ["audio", "First audio"],
    ["heard", "First sound"],
    ["done", "Complete"],
  ],
  chat: [
    ["answered", "Answer begins"],
    ["text", "First text"],
    ["done", "Complete"],
  ],
};
const KEPT = 30;
const ENDS = { failed: "Failed", cancelled: "Stopped" };
const STAGE_NAMES = { stt: "hear", llm: "think", tts: "speak" };

class Turn {
  constructor(kind, label, started) {
    Object.assign(this, { kind, label, started, stamps: {}, attempts: [], status: "", node: el("li", { class: "turn" }) });
  }

  /** The first time a stage is reached counts. */
  stamp(name) {
    if (name in this.stamps) return;
    this.stamps[name] = performance.now() - this.started;
    this.draw();
  }

  finish(status) {
    this.status = status;
    this.stamp("done");
    this.draw();
  }

  /** The user spoke over the answer, perhaps after all of it had been sent. */
  interrupt() {
    this.interrupted = true;
    this.draw();
  }

  draw() {
    const reached = STAGES[this.kind].filter(([name]) => name in this.stamps);
    reached.sort(([one], [other]) => this.stamps[one] - this.stamps[other]); // a reply may end before its question is known
    const whole = Math.max(1, ...Object.values(this.stamps));
    const rows = reached.map(([name, label]) =>
      this.row(name, (name === "done" && ENDS[this.status]) || label, whole));
    const facts = [
      this.overhead && `router ${duration(Number(this.overhead))}`,
      this.cost && Number(this.cost) > 0 && `$${this.cost}`,
      this.reasoning,
    ].filter(Boolean);
    this.node.classList.toggle("failed-turn", this.status === "failed");
    this.node.replaceChildren(
      el("div", { class: "turn-head" },
        el("span", { class: "turn-label" }, this.label || "…"),
        this.interrupted
          ? el("span", { class: "tag" }, "interrupted")
          : el("span", { class: `tag ${this.status}` }, this.status || "running")),
      el("ul", { class: "waterfall", "aria-label": "Time of each stage" }, ...rows),
      this.attempts.length ? attemptTable(this.attempts) : "",
      facts.length ? el("p", { class: "remark" }, facts.join(" · ")) : "",
    );
  }

  row(name, label, whole) {
    const end = this.stamps[name];
    const before = Object.values(this.stamps).filter((stamp) => stamp < end);
    const start = name === "done" && "text" in this.stamps ? this.stamps.text : Math.max(0, ...before);
    const bar = el("span", { class: `bar ${name}` });
    bar.style.insetInlineStart = `${(start / whole) * 100}%`;
    bar.style.inlineSize = `${Math.max(0.6, ((end - start) / whole) * 100)}%`;
    return el("li", {}, el("span", { class: "stage" }, label), el("span", { class: "track" }, bar),
      el("span", { class: "at" }, duration(end)));
  }
}

export function attemptTable(attempts) {
  const longest = Math.max(1, ...attempts.map((attempt) => attempt.duration_ms ?? 0));
  const rows = attempts.map((attempt) => {
    const bar = el("span", { class: `bar ${attempt.success ? "ok" : "bad"}` });
    bar.style.inlineSize = `${Math.max(2, ((attempt.duration_ms ?? 0) / longest) * 100)}%`;
    const first = attempt.time_to_first_token_ms;
    return el("tr", { title: attempt.error?.message ?? "" },
      el("td", {}, STAGE_NAMES[attempt.stage] ?? attempt.stage ?? "think"),
      el("td", { class: "model" }, attempt.model),
      el("td", {}, el("span", { class: `tag ${attempt.success ? "completed" : "failed"}` }, attempt.outcome.replaceAll("_", " "))),
      el("td", { class: "time" }, el("span", { class: "track" }, bar), duration(attempt.duration_ms),
        first === undefined ? "" : el("span", { class: "why" }, `first ${duration(first)}`)));
  });
  const head = ["Stage", "Target", "Outcome", "Time"].map((name) => el("th", { scope: "col" }, name));
  return el("table", { class: "attempts" }, el("caption", {}, "Attempts"), el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows));
}

export class TurnLog {
  constructor() {
    this.place = byId("turns-list");
    this.all = [];
  }

  /** A turn that began now, or `ago` ms before. */
  begin(kind, label, ago = 0) {
    const turn = new Turn(kind, label, performance.now() - ago);
    this.all.unshift(turn);
    for (const old of this.all.splice(KEPT)) old.node.remove();
    this.place.prepend(turn.node);
    byId("turns-empty").hidden = true;
    turn.draw();
    return turn;
  }

  find(wanted) {
    return this.all.find(wanted);
  }

  clear() {
    this.all = [];
    this.place.replaceChildren();
    byId("turns-empty").hidden = false;
  }
}
