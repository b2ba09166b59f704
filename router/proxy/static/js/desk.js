// The furniture of the page: theme, tabs, dialogs, shortcuts.

import { apiKey } from "./api.js";
import { byId } from "./dom.js";

const THEME = "rr-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SHOWN = { auto: "◐", light: "☀", dark: "☾" };

export function theme() {
  const button = byId("theme");
  const show = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = SHOWN[name];
    button.setAttribute("aria-label", `Theme: ${name}. Change to ${NEXT[name]}`);
    button.title = `Theme: ${name}`;
  };
  let name = localStorage.getItem(THEME) ?? "auto";
  if (!(name in NEXT)) name = "auto";
  show(name);
  button.addEventListener("click", () => {
    name = NEXT[name];
    localStorage.setItem(THEME, name);
    show(name);
  });
}

export function tabs() {
  const all = [...document.querySelectorAll("[role=tab]")];
  const open = (tab) => {
    for (const other of all) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
  all.forEach((tab, index) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const ends = { Home: 0, End: all.length - 1 }[event.key];
      if (step === undefined && ends === undefined) return;
      event.preventDefault();
      const next = all[ends ?? (index + step + all.length) % all.length];
      open(next);
      next.focus();
    });
  });
  return (name) => {
    const tab = byId(`tab-${name}`);
    open(tab);
    if (all.includes(document.activeElement)) tab.focus(); // or the ring stays on the tab that was left
  };
}

export function keyDialog(onChange) {
  const dialog = byId("key-dialog");
  const field = byId("key-field");
  const show = () => byId("key-button").classList.toggle("set", Boolean(apiKey.get()));
  const take = (value) => {
    apiKey.set(value);
    show();
    dialog.close();
    onChange();
  };
  byId("key-button").addEventListener("click", () => {
    field.value = apiKey.get();
    dialog.showModal();
  });
  byId("key-save").addEventListener("click", () => take(field.value.trim()));
  byId("key-forget").addEventListener("click", () => take(""));
  byId("key-cancel").addEventListener("click", () => dialog.close());
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // or the button that gets the focus back is pressed by the same key
    take(field.value.trim());
  });
  show();
}

export function helpDialog() {
  const dialog = byId("help-dialog");
  byId("help-button").addEventListener("click", () => dialog.showModal());
  byId("help-close").addEventListener("click", () => dialog.close());
}

const typing = (node) => node.closest("input, textarea, select, [contenteditable]") !== null;
const pressing = (node) => node.closest("button, summary, a") !== null;

/** `acts` by key; keys with a letter count only outside of fields. `hold` is called with true and false for Space. */
export function shortcuts(acts, hold) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const busy = typing(event.target);
    if (event.key === " " && !busy && (!pressing(event.target) || event.target.id === "hold")) {
      event.preventDefault();
      if (!event.repeat) hold(true);
    } else if (event.key in acts && (!busy || event.key === "Escape")) {
      event.preventDefault();
      acts[event.key]();
    }
  });
  document.addEventListener("keyup", (event) => event.key === " " && hold(false));
  window.addEventListener("blur", () => hold(false));
}
