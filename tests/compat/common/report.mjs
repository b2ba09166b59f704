// What all node drivers share: their argument, facts as one JSON line each, and events that can be waited for.
import { readFileSync } from 'node:fs';

export const GIVEN = JSON.parse(process.argv[2]);
export const tell = (facts) => console.log(JSON.stringify(facts));
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The chunks of a spoken sentence and the silence after it: 100 ms each, base64.
export function spoken(name, silence_ms = 900) {
  const sound = Buffer.concat([readFileSync(GIVEN.speech[name]), Buffer.alloc(48 * silence_ms)]);
  const chunks = [];
  for (let at = 0; at < sound.length; at += 4800) chunks.push(sound.subarray(at, at + 4800).toString('base64'));
  return chunks;
}

// Events in the order they came.
export class Mailbox {
  constructor() {
    this.events = [];
    this.read = 0;
    this.seen = new Set();
    this.wake = () => {};
  }
  put(event) {
    this.events.push(event);
    this.seen.add(event.type);
    this.wake();
  }
  async next(limit_ms = 25000) {
    if (this.read >= this.events.length) {
      let timer;
      const late = new Promise((_, fail) => {
        timer = setTimeout(() => fail(new Error(`nothing came after ${this.events.slice(-5).map((e) => e.type)}`)), limit_ms);
      });
      await Promise.race([new Promise((come) => { this.wake = come; }), late]).finally(() => clearTimeout(timer));
    }
    return this.events[this.read++];
  }
  async until(kind, { errors = false } = {}) {
    const events = [];
    for (;;) {
      const event = await this.next();
      events.push(event);
      if (event.type === kind) return events;
      if (event.type === 'error' && !errors) throw new Error(JSON.stringify(event));
    }
  }
}

export const named = (events, kind) => events.filter((event) => event.type === kind);
export const joined = (events, kind) => named(events, kind).map((event) => event.delta).join('');
export const bytes = (events, kind) =>
  named(events, kind).reduce((sum, event) => sum + Buffer.from(event.delta, 'base64').length, 0);
