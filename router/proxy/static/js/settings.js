// What the person chose: model, voice, turns and metadata. Remembered in this browser; keys are not part of it.

import { byId, bus, el } from "./dom.js";

const STORE = "rr-playground";
const FIELDS = ["model", "voice", "turns", "tier", "language", "intent", "user"];
const DEFAULTS = { model: "router/demo", voice: "marin", turns: "server_vad", tier: "", language: "", intent: "", user: "" };

function stored() {
  try {
    return { ...DEFAULTS, extra: [], ...JSON.parse(localStorage.getItem(STORE) ?? "{}") };
  } catch {
    return { ...DEFAULTS, extra: [] };
  }
}

export class Settings {
  constructor() {
    this.values = stored();
    this.bus = bus();
    for (const name of FIELDS) {
      const field = byId(name);
      field.value = this.values[name];
      field.addEventListener(field.tagName === "SELECT" ? "change" : "input", () => this.set(name, field.value));
    }
    byId("add-pair").addEventListener("click", () => this.addPair("", "", true));
    for (const [name, value] of this.values.extra) this.addPair(name, value, false);
  }

  on(call) {
    this.bus.on("change", call);
  }

  set(name, value) {
    this.values[name] = value;
    localStorage.setItem(STORE, JSON.stringify(this.values));
    this.bus.emit("change", name);
  }

  /** The list of what the server offers, grouped; a remembered model that is gone falls back to the first. */
  offer(models) {
    const names = models.map((model) => model.id).filter((id) => !id.startsWith("inworld/") && !id.startsWith("local/"));
    const group = (label, wanted) => {
      const fitting = names.filter(wanted);
      const options = fitting.map((name) => el("option", { value: name }, name));
      return fitting.length ? el("optgroup", { label }, ...options) : null;
    };
    const isRouter = (name) => name.startsWith("router/");
    byId("model").replaceChildren(
      ...[group("Routers", isRouter), group("Models", (name) => !isRouter(name))].filter(Boolean),
    );
    if (!names.includes(this.values.model)) this.set("model", names.find(isRouter) ?? names[0] ?? "");
    byId("model").value = this.values.model;
  }

  addPair(name, value, focus) {
    const key = el("input", { value: name, placeholder: "key", "aria-label": "Metadata key", maxLength: 64 });
    const content = el("input", { value, placeholder: "value", "aria-label": "Metadata value", maxLength: 512 });
    const remove = el("button", { type: "button", class: "quiet icon", "aria-label": "Remove this field" }, "×");
    const row = el("div", { class: "pair" }, key, content, remove);
    const keep = () => {
      const rows = [...byId("pairs").children].map((pair) => [...pair.querySelectorAll("input")].map((input) => input.value));
      this.set("extra", rows);
    };
    row.addEventListener("input", keep);
    remove.addEventListener("click", () => {
      row.remove();
      keep();
      byId("add-pair").focus();
    });
    byId("pairs").append(row);
    if (focus) key.focus();
  }

  /** Metadata as the router reads it: only what was filled in. */
  get metadata() {
    const named = ["tier", "language", "intent"].map((name) => [name, this.values[name]]);
    const pairs = [...named, ...this.values.extra].map(([name, value]) => [name.trim(), value.trim()]);
    return Object.fromEntries(pairs.filter(([name, value]) => name && value));
  }

  /** The parts of a chat request that routing reads. */
  get routing() {
    const { model, user } = this.values;
    const metadata = this.metadata;
    return {
      model,
      ...(user.trim() ? { user: user.trim() } : {}),
      ...(Object.keys(metadata).length ? { metadata } : {}),
    };
  }

  /**
   * The voice session's settings, as `session.update` takes them. Metadata is merged over there, so what was `stated`
   * before (a set, kept by the session) and is cleared now is told as null.
   */
  session(stated) {
    const { voice, turns, user } = this.values;
    const metadata = this.metadata;
    Object.keys(metadata).forEach((name) => stated.add(name));
    const told = Object.fromEntries([...stated].map((name) => [name, metadata[name] ?? null]));
    const detection = turns === "manual" ? null : { type: turns, create_response: true, interrupt_response: true };
    const format = { type: "audio/pcm", rate: 24000 };
    return {
      type: "realtime",
      output_modalities: ["audio"],
      providerData: { metadata: told, user_id: user.trim() },
      audio: {
        input: { format, transcription: { model: "whisper-1" }, turn_detection: detection },
        output: { format, voice },
      },
    };
  }
}
