// What went wrong, in words, and what to do about it.

import { el } from "./dom.js";

/** Something the person can act on. `attempts` when the router tried targets before it gave up. */
export class Fault extends Error {
  constructor(title, { detail = "", remedy = "", attempts = null, kind = "error" } = {}) {
    super(title);
    Object.assign(this, { title, detail, remedy, attempts, kind });
  }
}

const BY_CODE = {
  missing_api_key: "Press “API key” above and enter a key of this router.",
  invalid_api_key: "Press “API key” above and enter a key of this router (not a provider’s key).",
  origin_not_allowed: "Open the page under the address the server printed at its start, or configure keys.",
  model_not_found: "Choose another model; the list shows what this server offers.",
  router_not_found: "Choose another router; your key may not be allowed to use this one.",
  rate_limit_exceeded: "Wait a moment, then try again.",
  upstream_timeout: "The target was too slow. Try again, or see the attempts under “Turns”.",
  stream_interrupted: "What came so far is shown. Send again, or choose a router with fallbacks.",
  cannot_update_voice: "End this session and press Talk: the next one speaks with the new voice.",
  session_expired: "Press Talk to begin a new session.",
};

// What the server says to programs, said to a person.
const TITLES = {
  missing_api_key: "This server asks for an API key.",
  invalid_api_key: "This API key is not accepted.",
  cannot_update_voice: "The voice cannot change once it has spoken.",
};

const BY_STATUS = {
  401: BY_CODE.missing_api_key,
  403: "Use a key that is allowed to do this.",
  404: BY_CODE.model_not_found,
  413: "Send less text.",
  429: BY_CODE.rate_limit_exceeded,
  500: "This is a defect of the router. Its log has the request id.",
  502: "See the attempts under “Turns”, or choose another model.",
  503: "See the attempts under “Turns”, or choose a router with fallbacks.",
  504: "The answer took too long. Try again, or choose a quicker model.",
};

/** From an error document (OpenAI's envelope) and the HTTP status. */
export function fromDocument(document, status) {
  const error = document?.error ?? {};
  return new Fault(TITLES[error.code] ?? error.message ?? `The server answered ${status}.`, {
    detail: [status && `HTTP ${status}`, error.code, error.param && `field ${error.param}`].filter(Boolean).join(" · "),
    remedy: BY_CODE[error.code] ?? BY_STATUS[status] ?? "",
    attempts: document?.metadata?.attempts ?? null,
  });
}

/** From a realtime `error` event. */
export function fromEvent(error) {
  return new Fault(TITLES[error.code] ?? error.message ?? "The answer failed.", {
    detail: [error.code, error.param && `field ${error.param}`].filter(Boolean).join(" · "),
    remedy: BY_CODE[error.code] ?? (error.code?.startsWith("upstream") ? BY_STATUS[502] : ""),
    kind: error.type === "invalid_request_error" ? "notice" : "error",
  });
}

const CLOSES = {
  1001: ["The server is ending or restarting.", "Press Talk to connect again."],
  1006: ["The connection was lost.", "Check that the server still runs, then press Talk again."],
  1008: ["The server refused the session.", "See the last event in the inspector."],
  1011: ["The session ended because of a defect of the server.", "Press Talk again; the server’s log tells more."],
  1013: ["The server has no room for another session now.", "Close other sessions, or wait a moment."],
  3000: ["The key was not accepted.", BY_CODE.invalid_api_key],
  4000: ["The session could not be opened with these settings.", BY_CODE.model_not_found],
};

/** From the close of a WebSocket; null when it was wanted. */
export function fromClose(event, opened) {
  if (event.code === 1000) return null;
  const known = CLOSES[event.code] ?? ["The session ended.", "Press Talk to begin a new one."];
  const [title, remedy] = event.code === 1006 && !opened ? ["The server cannot be reached.", CLOSES[1006][1]] : known;
  return new Fault(title, { detail: [event.code, event.reason].filter(Boolean).join(" · "), remedy });
}

const DEVICES = {
  NotAllowedError: ["The microphone is not allowed.", "Allow it in the address bar of the browser, then press Talk again."],
  NotFoundError: ["No microphone was found.", "Connect one, or type: the voice session answers text as well."],
  NotReadableError: ["The microphone is in use.", "Close the program that uses it, then press Talk again."],
};

/** From getUserMedia. */
export function fromDevice(error) {
  const [title, remedy] = DEVICES[error.name] ?? ["The microphone could not be opened.", "Check the device, then try again."];
  return new Fault(title, { detail: error.message, remedy });
}

/** From anything thrown while calling the server. */
export function fromThrown(error) {
  if (error instanceof Fault) return error;
  if (error instanceof TypeError)
    return new Fault("The server cannot be reached.", { detail: error.message, remedy: CLOSES[1006][1] });
  return new Fault("Something went wrong in this page.", { detail: String(error), remedy: "Reload the page." });
}

/** Shows faults in a place, newest first, at most three. */
export class FaultList {
  constructor(place) {
    this.place = place;
  }

  show(fault) {
    const card = el(
      "div",
      { class: `fault ${fault.kind}` },
      el("div", { class: "fault-text" },
        el("strong", {}, fault.title),
        fault.remedy && el("p", { class: "remedy" }, fault.remedy),
        fault.detail && el("p", { class: "detail" }, fault.detail)),
      el("button", { class: "quiet icon", type: "button", "aria-label": "Dismiss", on: { click: () => card.remove() } }, "×"),
    );
    for (const shown of [...this.place.children]) if (shown.textContent === card.textContent) shown.remove();
    this.place.prepend(card);
    while (this.place.children.length > 3) this.place.lastChild.remove();
  }

  clear() {
    this.place.replaceChildren();
  }
}
