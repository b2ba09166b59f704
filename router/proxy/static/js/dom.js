// Building the page: elements with text, never with markup.

export const byId = (id) => document.getElementById(id);

/** An element; `props` are properties, or attributes where they hold a dash or are `role`; children are nodes or text. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "on") for (const [kind, call] of Object.entries(value)) node.addEventListener(kind, call);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "class") node.className = value;
    else if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Milliseconds as one reads them. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return "<1 ms";
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Runs a call when things have been quiet for `wait` ms. */
export function settled(call, wait) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), wait);
  };
}

/** A small bus: on(kind, call), emit(kind, value). */
export function bus() {
  const calls = new Map();
  return {
    on: (kind, call) => calls.set(kind, [...(calls.get(kind) ?? []), call]),
    emit: (kind, value) => (calls.get(kind) ?? []).forEach((call) => call(value)),
  };
}
