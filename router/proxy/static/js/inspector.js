// Every event of the voice session, both ways. Sound is left out of what is shown; runs of the same event are one row.

import { byId, el } from "./dom.js";

const KEPT = 400;
const RUNS = new Set(["input_audio_buffer.append", "response.output_audio.delta", "response.output_audio_transcript.delta"]);
const SOUND = { "input_audio_buffer.append": "audio", "response.output_audio.delta": "delta" };
const BYTES_PER_MS = 48;

/** The event without its sound. */
export function withoutSound(event) {
  const field = SOUND[event.type];
  if (!field || typeof event[field] !== "string") return event;
  const ms = Math.round((event[field].length * 3) / 4 / BYTES_PER_MS);
  return { ...event, [field]: `‹${ms} ms of sound›` };
}

export class Inspector {
  constructor() {
    this.place = byId("event-rows");
    this.rows = [];
    this.paused = false;
    this.began = performance.now();
    byId("event-filter").addEventListener("input", () => this.sift());
    byId("event-way").addEventListener("change", () => this.sift());
    byId("event-clear").addEventListener("click", () => this.clear());
    byId("event-copy").addEventListener("click", () => this.copy());
    byId("event-pause").addEventListener("click", () => this.pause(!this.paused));
  }

  add(way, event) {
    if (this.paused) return;
    const shown = withoutSound(event);
    const run = this.run(event.type);
    if (run) {
      run.events.push(shown);
      if (run.events.length > KEPT) run.events.shift();
      run.count += 1;
      run.badge.textContent = `×${run.count}`;
      run.badge.hidden = false;
    } else this.append(way, shown);
  }

  /** The row this event belongs to: the last of its kind, when only other runs came in between. */
  run(type) {
    for (let index = this.rows.length - 1; index >= 0 && RUNS.has(type); index -= 1) {
      const row = this.rows[index];
      if (row.type === type) return row;
      if (!RUNS.has(row.type)) return null;
    }
    return null;
  }

  append(way, event) {
    const badge = el("span", { class: "count", hidden: true });
    const at = ((performance.now() - this.began) / 1000).toFixed(2);
    const node = el("details", { class: `event ${way}${event.type === "error" ? " bad" : ""}` },
      el("summary", {},
        el("span", { class: "at" }, at),
        el("span", { class: "way", "aria-label": way === "in" ? "from the server" : "to the server" }, way === "in" ? "↓" : "↑"),
        el("span", { class: "type" }, ...event.type.split(/(?<=[._])/).flatMap((part) => [el("wbr"), part])), badge));
    const row = { way, type: event.type, events: [event], count: 1, badge, node };
    node.addEventListener("toggle", () => {
      node.querySelector("pre")?.remove();
      if (node.open) node.append(el("pre", { tabIndex: 0 }, JSON.stringify(row.events.at(-1), null, 2)));
    });
    this.rows.push(row);
    node.hidden = !this.fits(row);
    const follow = this.place.scrollHeight - this.place.scrollTop - this.place.clientHeight < 60;
    this.place.append(node);
    if (this.rows.length > KEPT) this.rows.shift().node.remove();
    if (follow) this.place.scrollTop = this.place.scrollHeight;
    byId("events-empty").hidden = true;
  }

  fits(row) {
    const way = byId("event-way").value;
    const text = byId("event-filter").value.trim().toLowerCase();
    if (way !== "all" && row.way !== way) return false;
    return !text || row.type.includes(text) || JSON.stringify(row.events.at(-1)).toLowerCase().includes(text);
  }

  sift() {
    for (const row of this.rows) row.node.hidden = !this.fits(row);
  }

  pause(paused) {
    this.paused = paused;
    byId("event-pause").textContent = paused ? "Resume" : "Pause";
    byId("event-pause").setAttribute("aria-pressed", String(paused));
  }

  async copy() {
    const lines = this.rows.filter((row) => this.fits(row)).flatMap((row) => row.events.map((event) => JSON.stringify(event)));
    const button = byId("event-copy");
    try {
      await navigator.clipboard.writeText(lines.join("\n"));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  clear() {
    this.rows = [];
    this.place.replaceChildren();
    byId("events-empty").hidden = false;
  }
}
