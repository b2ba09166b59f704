// Microphone in, loudspeaker out: two worklets and the numbers around them.

import { Fault, fromDevice } from "./faults.js";

const RATE = 24000;

const PATIENCE_MS = 4000;

/** Lets a context run. Raises Fault where it never does: a browser waits without end for a device that is not there. */
async function running(context) {
  const remedy = "Connect a loudspeaker or headphones and press Talk again. Meanwhile answers are shown as text.";
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Fault("This browser finds no sound device.", { remedy, kind: "notice" })), PATIENCE_MS));
  await Promise.race([context.resume(), late]);
}

/** Base64 of a buffer; pieces are small enough to be spread. */
export function toBase64(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)));
}

/** PCM16 in base64 as float samples. */
export function fromBase64(text) {
  const bytes = atob(text);
  const samples = new Float32Array(bytes.length >> 1);
  for (let index = 0; index < samples.length; index += 1) {
    const value = bytes.charCodeAt(2 * index) | (bytes.charCodeAt(2 * index + 1) << 8);
    samples[index] = (value > 32767 ? value - 65536 : value) / 32768;
  }
  return samples;
}

/** The microphone: calls `onPiece(pcm, level)` every 40 ms. */
export class Microphone {
  constructor(onPiece) {
    this.onPiece = onPiece;
  }

  /** Raises Fault when there is none, or it may not be used. */
  async open() {
    if (!navigator.mediaDevices)
      throw new Fault("This page may not use a microphone.", { remedy: "Open it over https, or on localhost." });
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: wanted }).catch((error) => {
      throw fromDevice(error);
    });
    const source = this.source();
    await this.context.audioWorklet.addModule("/playground/audio/capture.js");
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.onPiece(data.pcm, data.level);
    source.connect(this.node);
    await running(this.context);
  }

  /** The stream at our rate where the browser resamples it; else at its own, and the worklet resamples. */
  source() {
    this.context = new AudioContext({ sampleRate: RATE });
    try {
      return this.context.createMediaStreamSource(this.stream);
    } catch {
      this.context.close();
      this.context = new AudioContext();
      return this.context.createMediaStreamSource(this.stream);
    }
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.node) this.node.port.onmessage = null;
    this.context?.close();
    this.context = undefined;
  }
}

/** The loudspeaker: plays pieces of items in order, and knows what was heard. */
export class Speaker {
  constructor(onLevel) {
    this.onLevel = onLevel;
    this.tickets = new Map();
    this.lastTicket = 0;
    this.playing = false;
    this.heard = 0;
  }

  async open() {
    this.context = new AudioContext({ sampleRate: RATE });
    await this.context.audioWorklet.addModule("/playground/audio/playback.js");
    this.node = new AudioWorkletNode(this.context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => this.receive(data);
    this.node.connect(this.context.destination);
    await running(this.context);
  }

  receive(message) {
    if (message.kind === "stopped") {
      this.playing = false;
      this.tickets.get(message.ticket)?.(message.items);
      this.tickets.delete(message.ticket);
      return;
    }
    this.playing = !message.silent;
    this.heard = Math.max(this.heard, message.peak);
    this.onLevel({ playing: this.playing, level: message.peak, item: message.item, ms: this.ms(message.samples) });
  }

  push(item, samples) {
    this.node.port.postMessage({ kind: "push", item, samples }, [samples.buffer]);
  }

  /** Silence at once; resolves to the items that were cut (and the one still coming), each with the ms really heard. */
  async stop(coming) {
    if (this.context?.state !== "running") return [];
    const ticket = (this.lastTicket += 1);
    const stopped = new Promise((resolve) => this.tickets.set(ticket, resolve));
    this.node.port.postMessage({ kind: "stop", ticket, coming });
    const late = (this.context.outputLatency || 0) * 1000;
    const items = await stopped;
    return items.map(({ item, samples }) => ({ item, ms: Math.max(0, Math.floor(this.ms(samples) - late)) }));
  }

  ms(samples) {
    return (samples * 1000) / RATE;
  }

  close() {
    this.context?.close();
    this.context = undefined;
    this.node = undefined;
  }
}
