// The conversation as it is read: who said what, growing while it is said.

import { byId, el } from "./dom.js";

const NEAR_END_PX = 80;

class Message {
  constructor(list, role, text) {
    this.list = list;
    this.words = el("p", { class: "words" }, text);
    this.remark = el("p", { class: "remark" });
    this.text = text;
    const who = role === "user" ? "You" : "Router";
    this.node = el("li", { class: `message ${role}` }, el("span", { class: "who" }, who), this.words, this.remark);
    this.node.classList.toggle("pending", !text);
  }

  append(text) {
    this.replace(this.text + text);
  }

  replace(text) {
    this.text = text;
    this.words.textContent = text;
    this.node.classList.toggle("pending", !text);
    this.list.follow();
  }

  note(text) {
    this.node.classList.remove("pending");
    this.remark.textContent = text;
    this.list.follow();
  }
}

export class Transcript {
  constructor() {
    this.place = byId("messages");
    this.scroller = byId("conversation");
    this.byItem = new Map();
  }

  say(role, text, item = null) {
    const message = new Message(this, role, text);
    if (item) this.byItem.set(item, message);
    this.place.append(message.node);
    byId("welcome").hidden = true;
    this.follow(true);
    return message;
  }

  /** The message of a conversation item, made when it is first met. */
  of(role, item) {
    return this.byItem.get(item) ?? this.say(role, "", item);
  }

  follow(always = false) {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    if (always || scrollHeight - scrollTop - clientHeight < NEAR_END_PX) this.scroller.scrollTop = scrollHeight;
  }

  clear() {
    this.place.replaceChildren();
    this.byItem.clear();
    byId("welcome").hidden = false;
  }
}
