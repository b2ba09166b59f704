// The WebSocket of one voice session: its address, its credentials, JSON both ways.
// A key is first exchanged for a client secret, so that it is never part of a handshake.

import { apiKey, postJson } from "./api.js";

const SECRET = "ek_";

async function credentials(model) {
  const key = apiKey.get();
  if (!key || key.startsWith(SECRET)) return key;
  const { value } = await postJson("/v1/realtime/client_secrets", { session: { type: "realtime", model } });
  return value;
}

export class Line {
  constructor({ onOpen, onEvent, onSent, onClose }) {
    Object.assign(this, { onOpen, onEvent, onSent, onClose });
    this.opened = false;
  }

  /** Raises Fault when no client secret is given. */
  async open(model) {
    const secret = await credentials(model);
    if (this.closed) return;
    const url = new URL("/v1/realtime", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("model", model);
    this.socket = new WebSocket(url, secret ? ["realtime", `openai-insecure-api-key.${secret}`] : ["realtime"]);
    this.socket.onopen = () => {
      this.opened = true;
      this.onOpen();
    };
    this.socket.onmessage = ({ data }) => this.onEvent(JSON.parse(data));
    this.socket.onclose = (event) => this.closed || this.onClose(event, this.opened);
  }

  send(event) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(event));
    this.onSent(event);
  }

  close() {
    this.closed = true;
    this.socket?.close(1000);
  }
}
