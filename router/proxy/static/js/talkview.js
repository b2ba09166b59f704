// A voice session as it is seen: captions, the state in words, the meter, and a turn in the log for every exchange.

import { servedBy } from "./chat.js";
import { byId } from "./dom.js";

const WORDS = {
  off: ["Not connected", "Press Talk, or just type."],
  connecting: ["Connecting…", "The browser may ask for the microphone."],
  listening: ["Listening", "Speak; the answer comes when you pause."],
  ready: ["Ready", "Hold the button or the space bar while you speak."],
  muted: ["Muted", "You are not heard. You can type."],
  hearing: ["Hearing you", "Go on."],
  thinking: ["Thinking", "Esc stops it."],
  speaking: ["Speaking", "Speak to interrupt, or press Esc."],
};

export class TalkView {
  constructor({ talk, transcript, turns, inspector, faults }) {
    Object.assign(this, { talk, transcript, turns });
    talk.on("state", (state) => this.onState(state));
    talk.on("event", ({ way, event }) => inspector.add(way, event));
    talk.on("fault", (fault) => faults.show(fault));
    talk.on("turn", (step) => this.onTurn(step));
    talk.on("user", (said) => this.onUser(said));
    talk.on("assistant", ({ id, text }) => transcript.of("assistant", id).append(text));
    talk.on("cut", (cut) => this.onCut(cut));
    talk.on("level", (level) => document.body.dataset.state === "speaking" || this.meter(level));
    talk.on("voice", (level) => this.meter(level));
    this.onState("off");
  }

  onState(state) {
    const [title, hint] = WORDS[state];
    const active = state !== "off";
    document.body.dataset.state = state;
    byId("state").textContent = title;
    byId("state-hint").textContent = hint;
    byId("talk").textContent = active ? "End" : "Talk";
    byId("talk").classList.toggle("ending", active);
    byId("mute").hidden = !active || this.talk.manual;
    byId("hold").hidden = !active || !this.talk.manual;
    byId("stop").hidden = !(state === "speaking" || state === "thinking");
    byId("mute").setAttribute("aria-pressed", String(this.talk.muted));
    byId("hold").classList.toggle("held", this.talk.holding);
    byId("draft").placeholder = active ? "Type into the voice session" : "Type a message";
    if (active) return;
    this.meter(0);
    this.transcript.settle();
  }

  meter(level) {
    byId("orb").style.setProperty("--level", Math.min(1, level * 3).toFixed(2));
  }

  onUser({ id, text, done }) {
    const message = this.transcript.of("user", id);
    if (done) message.replace(text || "(nothing was understood)");
    else message.append(text);
    const turn = this.turns.find((one) => one.item === id);
    if (turn && done) {
      turn.label = text;
      turn.draw();
    }
  }

  onCut({ id, ms }) {
    this.transcript.of("assistant", id).note(`interrupted after ${(ms / 1000).toFixed(1)} s`);
    this.turns.find((one) => one.answer === id)?.interrupt();
  }

  onTurn(step) {
    const turn = this.turns.find((one) => this.belongs(one, step));
    if (step.step === "spoken") this.spoken(step);
    else if (step.step === "typed") {
      this.transcript.say("user", step.text);
      this.turns.begin("typed", step.text);
    } else if (turn === undefined) return;
    else if (step.step === "transcript") turn.stamp("transcript");
    else if (step.step === "created") turn.response = step.response;
    else if (step.step === "done") this.done(turn, step);
    else {
      if (step.step !== "heard") turn.answer = step.item;
      turn.stamp(step.step);
    }
  }

  belongs(turn, { step, item, response }) {
    if (step === "transcript") return turn.item === item || (turn.kind === "voice" && turn.item === undefined);
    if (step === "created") return turn.kind !== "chat" && turn.response === undefined;
    if (step === "heard") return turn.answer === item;
    return response !== undefined && turn.response === response;
  }

  spoken({ item, waited }) {
    const turn = this.turns.begin("voice", "", waited);
    turn.item = item;
    if (waited) turn.stamp("ended");
    if (item) this.transcript.of("user", item);
  }

  done(turn, { attempts, status, ids }) {
    turn.attempts = attempts;
    turn.finish(status);
    const answer = ids.map((id) => this.transcript.byItem.get(id)).find(Boolean);
    if (answer && !answer.remark.textContent) answer.note(servedBy(attempts));
    if (!answer && status === "cancelled") this.transcript.byItem.get(turn.item)?.note("stopped before the answer");
  }
}
