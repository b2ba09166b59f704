// Puts the page together.

import { getJson } from "./api.js";
import { Chat } from "./chat.js";
import { DecisionPanel } from "./decision.js";
import { helpDialog, keyDialog, shortcuts, tabs, theme } from "./desk.js";
import { byId } from "./dom.js";
import { FaultList, fromThrown } from "./faults.js";
import { Inspector } from "./inspector.js";
import { Settings } from "./settings.js";
import { Talk } from "./talk.js";
import { TalkView } from "./talkview.js";
import { Transcript } from "./transcript.js";
import { TurnLog } from "./turns.js";

theme();
const openTab = tabs();
const faults = new FaultList(byId("faults"));
const settings = new Settings();
const transcript = new Transcript();
const turns = new TurnLog();
const inspector = new Inspector();
const talk = new Talk(settings);
const draft = byId("draft");
const decision = new DecisionPanel(settings, () => draft.value);
const chat = new Chat({
  settings,
  transcript,
  turns,
  onFault: (fault) => faults.show(fault),
  onBusy: (busy) => (byId("stop").hidden = !busy),
});
new TalkView({ talk, transcript, turns, inspector, faults });

async function load() {
  faults.clear();
  try {
    settings.offer((await getJson("/v1/models")).data);
  } catch (error) {
    faults.show(fromThrown(error));
  }
  decision.refresh();
}

async function send(text = draft.value.trim()) {
  if (!text) return;
  draft.value = "";
  grow();
  await (talk.opened && talk.active ? talk.say(text) : chat.say(text));
  decision.refresh();
}

function grow() {
  draft.style.blockSize = "auto";
  draft.style.blockSize = `${Math.min(draft.scrollHeight + 2, 160)}px`;
}

function stop() {
  if (talk.active) talk.interrupt();
  chat.stop();
}

function toggleTalk() {
  if (talk.active) talk.end();
  else talk.start();
}

function toggleMute() {
  if (talk.active && !talk.manual) talk.mute(!talk.muted);
  byId("mute").setAttribute("aria-pressed", String(talk.muted));
}

function clear() {
  chat.clear();
  transcript.clear();
  turns.clear();
  faults.clear();
}

settings.on((name) => {
  decision.ask();
  talk.update(name);
});
draft.addEventListener("input", () => {
  grow();
  decision.ask();
});
draft.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
for (const sample of document.querySelectorAll("[data-say]")) sample.addEventListener("click", () => send(sample.dataset.say));
byId("talk").addEventListener("click", toggleTalk);
byId("mute").addEventListener("click", toggleMute);
byId("stop").addEventListener("click", stop);
byId("clear").addEventListener("click", clear);
const hold = byId("hold");
hold.addEventListener("pointerdown", (event) => {
  hold.setPointerCapture(event.pointerId);
  talk.hold();
});
for (const kind of ["pointerup", "pointercancel"]) hold.addEventListener(kind, () => talk.release());
hold.addEventListener("contextmenu", (event) => event.preventDefault());

keyDialog(load);
helpDialog();
shortcuts(
  {
    "/": () => draft.focus(),
    t: toggleTalk,
    m: toggleMute,
    Escape: stop,
    "?": () => byId("help-dialog").showModal(),
    1: () => openTab("decision"),
    2: () => openTab("turns"),
    3: () => openTab("events"),
  },
  (held) => (held ? talk.hold() : talk.release()),
);
load();
