// One voice session: the WebSocket, the microphone and the loudspeaker, and what the events mean.
// Emits: state, event {way, event}, user {id, text, done}, assistant {id, text, done}, cut {id, ms}, turn {...}, fault, level.

import { bus } from "./dom.js";
import { Fault, fromClose, fromEvent, fromThrown } from "./faults.js";
import { Line } from "./line.js";
import { Microphone, Speaker, fromBase64, toBase64 } from "./sound.js";

const SHORTEST_HOLD_MS = 150;
const AUDIBLE = 0.005;

export class Talk {
  constructor(settings) {
    this.settings = settings;
    this.bus = bus();
    this.reset();
  }

  reset() {
    this.state = "off";
    this.hearing = false; // the user speaks, says the server
    this.holding = false; // the user holds the key to talk
    this.muted = false;
    this.response = null; // id of the response being made
    this.cut = new Set(); // items that must not be heard any more
    this.opened = false;
    this.silence = 0;
    this.stated = new Set(); // metadata this session has ever been told
  }

  on(kind, call) {
    this.bus.on(kind, call);
  }

  get active() {
    return this.state !== "off";
  }

  get manual() {
    return this.settings.values.turns === "manual";
  }

  // --- connection ---------------------------------------------------------------------------------------------------

  async start() {
    if (this.active) return;
    this.reset();
    this.show("connecting");
    const line = (this.line = this.newLine());
    const speaker = (this.speaker = new Speaker((level) => this.onSound(level)));
    const microphone = (this.microphone = new Microphone((pcm, level) => this.onPiece(pcm, level)));
    try {
      const told = (error) => this.bus.emit("fault", fromThrown(error)); // without either the session answers text
      await Promise.all([speaker.open().catch(told), microphone.open().catch(told)]);
      await line.open(this.settings.values.model);
    } catch (error) {
      if (this.line === line) this.fail(fromThrown(error));
    }
    if (this.line === line) return;
    microphone.close(); // ended meanwhile
    speaker.close();
  }

  newLine() {
    return new Line({
      onOpen: () => {
        this.opened = true;
        this.send({ type: "session.update", session: this.settings.session(this.stated) });
        this.refresh();
      },
      onEvent: (event) => this.receive(event),
      onSent: (event) => this.bus.emit("event", { way: "out", event }),
      onClose: (event, opened) => this.fail(fromClose(event, opened)),
    });
  }

  send(event) {
    this.line?.send(event);
  }

  fail(fault) {
    if (fault) this.bus.emit("fault", fault);
    this.end();
  }

  end() {
    this.line?.close();
    this.line = undefined;
    this.microphone?.close();
    this.speaker?.close();
    this.show("off");
  }

  /** Settings changed during a session; the voice may be locked once it has spoken, then the server says so. */
  update(name) {
    if (!this.opened || !this.active) return;
    const session = this.settings.session(this.stated);
    if (name !== "voice") delete session.audio.output;
    if (name === "model") session.model = this.settings.values.model;
    this.send({ type: "session.update", session });
    this.bus.emit("state", this.state); // other buttons for other turns
  }

  // --- what the user does -------------------------------------------------------------------------------------------

  onPiece(pcm, level) {
    const open = this.opened && !this.muted && (!this.manual || this.holding);
    this.bus.emit("level", open ? level : 0);
    if (open) this.send({ type: "input_audio_buffer.append", audio: toBase64(pcm) });
  }

  async hold() {
    if (!this.opened || !this.manual || this.holding) return;
    this.holding = true;
    this.heldAt = performance.now();
    this.send({ type: "input_audio_buffer.clear" });
    this.refresh();
    await this.interrupt();
  }

  release() {
    if (!this.holding) return;
    this.holding = false;
    if (performance.now() - this.heldAt < SHORTEST_HOLD_MS) {
      this.send({ type: "input_audio_buffer.clear" });
      this.bus.emit("fault", new Fault("That was too short.", { remedy: "Hold while you speak.", kind: "notice" }));
    } else {
      this.bus.emit("turn", { step: "spoken", waited: 0 });
      this.send({ type: "input_audio_buffer.commit" });
      this.send({ type: "response.create" });
    }
    this.refresh();
  }

  async say(text) {
    await this.interrupt();
    this.bus.emit("turn", { step: "typed", text });
    const content = [{ type: "input_text", text }];
    this.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    this.send({ type: "response.create" });
  }

  mute(muted) {
    this.muted = muted;
    this.refresh();
  }

  /** Stop the answer: its making, and what is still to be heard of it. */
  async interrupt() {
    if (this.response) this.send({ type: "response.cancel", response_id: this.response });
    await this.silenceSpeaker();
  }

  async silenceSpeaker() {
    if (this.item) this.cut.add(this.item);
    for (const { item, ms } of await (this.speaker?.stop(this.item) ?? [])) {
      this.cut.add(item);
      this.send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: ms });
      this.bus.emit("cut", { id: item, ms });
    }
    this.refresh();
  }

  // --- what the server says -----------------------------------------------------------------------------------------

  receive(event) {
    this.bus.emit("event", { way: "in", event });
    const { type } = event;
    if (type === "session.created" || type === "session.updated") {
      this.silence = event.session.audio?.input?.turn_detection?.silence_duration_ms ?? 0;
    } else if (type === "input_audio_buffer.speech_started") {
      this.hearing = true;
      this.silenceSpeaker();
    } else if (type === "input_audio_buffer.speech_stopped") {
      this.hearing = false;
      this.bus.emit("turn", { step: "spoken", item: event.item_id, waited: this.silence });
    } else if (type === "error" && event.error.code !== "response_cancel_not_active") {
      this.bus.emit("fault", fromEvent(event.error));
    } else if (type.startsWith("conversation.item.input_audio_transcription.")) {
      this.onTranscription(event);
    } else if (type.startsWith("response.")) {
      this.onResponse(event);
    }
    this.refresh();
  }

  onTranscription({ type, item_id: id, delta, transcript, error }) {
    if (type.endsWith(".delta")) this.bus.emit("user", { id, text: delta });
    else if (type.endsWith(".completed")) {
      this.bus.emit("user", { id, text: transcript, done: true });
      this.bus.emit("turn", { step: "transcript", item: id });
    } else if (type.endsWith(".failed")) {
      this.bus.emit("user", { id, text: "", done: true });
      this.bus.emit("fault", fromEvent(error));
    }
  }

  onResponse(event) {
    const { type, item_id: id } = event;
    const response = event.response_id ?? event.response?.id;
    if (type === "response.created") {
      this.response = response;
      this.bus.emit("turn", { step: "created", response });
    } else if (type === "response.output_audio.delta") {
      this.item = id;
      if (this.cut.has(id)) return;
      this.bus.emit("turn", { step: "audio", response, item: id });
      this.speaker.push(id, fromBase64(event.delta));
    } else if (type === "response.output_audio_transcript.delta" || type === "response.output_text.delta") {
      this.bus.emit("turn", { step: "text", response, item: id });
      this.bus.emit("assistant", { id, text: event.delta });
    } else if (type === "response.done") {
      if (this.response === response) this.response = null;
      this.item = null;
      this.onDone(event.response);
    }
  }

  onDone(response) {
    const told = response.metadata?.attempts;
    const attempts = typeof told === "string" ? JSON.parse(told) : (told ?? []);
    const ids = response.output.map((item) => item.id);
    this.bus.emit("turn", { step: "done", response: response.id, attempts, status: response.status, ids });
    if (response.status === "failed") this.bus.emit("fault", fromEvent(response.status_details?.error ?? {}));
  }

  onSound({ playing, level, item }) {
    if (playing && level > AUDIBLE) this.bus.emit("turn", { step: "heard", item });
    this.bus.emit("voice", playing ? level : 0);
    this.refresh();
  }

  // --- state --------------------------------------------------------------------------------------------------------

  refresh() {
    if (!this.opened || !this.line) return;
    if (this.hearing || this.holding) this.show("hearing");
    else if (this.speaker.playing) this.show("speaking");
    else if (this.response) this.show("thinking");
    else this.show(this.muted ? "muted" : this.manual ? "ready" : "listening");
  }

  show(state) {
    if (state === this.state) return;
    this.state = state;
    this.bus.emit("state", state);
  }
}
