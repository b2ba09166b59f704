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
    this.atEnd = true;
    this.scroller.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.scroller;
      this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    });
    new ResizeObserver(() => this.follow()).observe(this.scroller);
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

  /** Stay at the end, unless the reader has scrolled away. */
  follow(always = false) {
    if (always) this.atEnd = true;
    if (this.atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Nothing more will come: what still waits waits no longer. */
  settle() {
    for (const node of this.place.querySelectorAll(".pending")) node.classList.remove("pending");
  }

  clear() {
    this.place.replaceChildren();
    this.byItem.clear();
    byId("welcome").hidden = false;
  }
}
