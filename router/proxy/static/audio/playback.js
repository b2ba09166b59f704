// Runs in the audio thread: plays queued pieces and counts, per item, how many samples were really heard.
// `stop` empties the queue at once and reports every item that was cut.

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = []; // { item, samples }
    this.offset = 0;
    this.played = new Map(); // item -> samples played
    this.since = 0;
    this.silent = true;
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  receive(message) {
    if (message.kind === "push") {
      this.queue.push({ item: message.item, samples: message.samples });
      if (!this.played.has(message.item)) this.played.set(message.item, 0);
    } else if (message.kind === "stop") {
      const cut = new Set(this.queue.map((piece) => piece.item));
      if (this.played.has(message.coming)) cut.add(message.coming);
      const items = [...cut].map((item) => ({ item, samples: this.played.get(item) ?? 0 }));
      this.queue = [];
      this.offset = 0;
      this.silent = true;
      this.port.postMessage({ kind: "stopped", ticket: message.ticket, items });
    }
  }

  process(_inputs, outputs) {
    const out = outputs[0][0];
    let at = 0;
    let peak = 0;
    while (at < out.length && this.queue.length > 0) {
      const { item, samples } = this.queue[0];
      const count = Math.min(out.length - at, samples.length - this.offset);
      for (let index = 0; index < count; index += 1) {
        const value = samples[this.offset + index];
        out[at + index] = value;
        peak = Math.max(peak, Math.abs(value));
      }
      at += count;
      this.offset += count;
      this.played.set(item, this.played.get(item) + count);
      if (this.offset < samples.length) continue;
      this.queue.shift();
      this.offset = 0;
    }
    for (let channel = 1; channel < outputs[0].length; channel += 1) outputs[0][channel].set(out);
    this.tell(at, peak, out.length);
    return true;
  }

  tell(count, peak, size) {
    const silent = count === 0;
    this.since += size;
    if (silent !== this.silent || (!silent && this.since >= sampleRate / 20)) {
      this.since = 0;
      this.silent = silent;
      const last = [...this.played].at(-1);
      this.port.postMessage({ kind: "level", silent, peak, item: last?.[0], samples: last?.[1] ?? 0 });
    }
  }
}

registerProcessor("playback", Playback);
