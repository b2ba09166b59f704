// Typed chat without a voice session: one streamed completion per message, the conversation kept in this page.

import { streamChat } from "./api.js";
import { Fault, fromThrown } from "./faults.js";

export class Chat {
  constructor({ settings, transcript, turns, onFault, onBusy }) {
    Object.assign(this, { settings, transcript, turns, onFault, onBusy });
    this.messages = [];
    this.abort = null;
  }

  get busy() {
    return this.abort !== null;
  }

  stop() {
    this.abort?.abort();
  }

  clear() {
    this.stop();
    this.messages = [];
  }

  async say(text) {
    this.stop();
    const abort = (this.abort = new AbortController());
    this.onBusy(true);
    this.transcript.say("user", text);
    this.messages.push({ role: "user", content: text });
    const answer = this.transcript.say("assistant", "");
    const turn = this.turns.begin("chat", text);
    const document = { ...this.settings.routing, messages: this.messages, stream: true };
    try {
      await this.read({ ...document, stream_options: { include_usage: true } }, { answer, turn, signal: abort.signal });
    } catch (error) {
      this.fail(error, answer, turn);
    } finally {
      if (answer.text) this.messages.push({ role: "assistant", content: answer.text });
      if (this.abort === abort) {
        this.abort = null;
        this.onBusy(false);
      }
    }
  }

  async read(document, { answer, turn, signal }) {
    const onHeaders = (headers) => {
      turn.stamp("answered");
      turn.cost = headers.get("x-rr-cost-usd");
      turn.overhead = headers.get("x-rr-overhead-ms");
    };
    for await (const chunk of streamChat(document, { signal, onHeaders })) {
      const text = chunk.choices?.[0]?.delta?.content;
      if (text) {
        turn.stamp("text");
        answer.append(text);
      }
      if (chunk.metadata?.attempts) {
        turn.attempts = chunk.metadata.attempts;
        turn.reasoning = chunk.metadata.reasoning;
        answer.note(servedBy(chunk.metadata.attempts));
      }
    }
    turn.finish("completed");
  }

  fail(error, answer, turn) {
    if (error.name === "AbortError") {
      answer.note("stopped");
      turn.finish("cancelled");
      return;
    }
    const fault = error instanceof Fault ? error : fromThrown(error);
    if (fault.attempts) turn.attempts = fault.attempts;
    turn.finish("failed");
    answer.note(answer.text ? "broke off" : "no answer");
    this.onFault(fault);
  }
}

/** Who answered, and after how many that did not. */
export function servedBy(attempts) {
  const llm = attempts.filter((attempt) => (attempt.stage ?? "llm") === "llm");
  const served = llm.find((attempt) => attempt.success);
  if (!served) return "no target answered";
  const failed = llm.filter((attempt) => !attempt.success).length;
  return failed ? `${served.model} · after ${failed} failed ${failed === 1 ? "attempt" : "attempts"}` : served.model;
}
