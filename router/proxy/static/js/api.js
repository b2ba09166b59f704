// Calling the router over HTTP: the key, JSON, and streamed answers.

import { Fault, fromDocument } from "./faults.js";

const KEY = "rr-key";

/** The key lives in this tab only. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

function headers(more = {}) {
  const key = apiKey.get();
  return { ...more, ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

async function checked(response) {
  if (response.ok) return response;
  const document = await response.json().catch(() => null);
  throw fromDocument(document, response.status);
}

export async function getJson(path) {
  return (await checked(await fetch(path, { headers: headers() }))).json();
}

export async function postJson(path, document, signal) {
  return (await post(path, document, signal)).json();
}

async function post(path, document, signal) {
  const request = { method: "POST", headers: headers({ "content-type": "application/json" }), signal };
  return checked(await fetch(path, { ...request, body: JSON.stringify(document) }));
}

/** A streamed chat completion: yields parsed chunks; the response's headers go to `onHeaders`. */
export async function* streamChat(document, { signal, onHeaders }) {
  const response = await post("/v1/chat/completions", document, signal);
  onHeaders(response.headers);
  for await (const text of events(response.body)) {
    if (text === "[DONE]") return;
    const chunk = JSON.parse(text);
    yield chunk;
    if (chunk.error) throw fromDocument(chunk, 0);
  }
  throw new Fault("The answer broke off.", { remedy: "What came so far is shown. Send again." });
}

/** The `data` of server-sent events (WHATWG): lines end in LF, CRLF or CR; comments are skipped. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r\n\r\n|\n\n|\r\r/);
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
