"""Requests as bytes, for clients that misbehave."""

import contextlib
import json
import socket
import struct

import httpx

from .checker import ask
from .street import KEY, NO_PROXY, PROMPT


def chat(model, *, stream=True, **fields):
    """A raw chat request."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": stream, **fields}
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def dial(street, *, receive_bytes=None):
    """A connection to the application."""
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", street.port))
    return sock


def hang_up(sock, *, rst):
    """Close it, politely or not."""
    if rst:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def exchanged(street, raw, *, until=b"\r\n\r\n"):
    """What comes back for these bytes, up to others or the end."""
    sock = dial(street)
    sock.sendall(raw)
    seen = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while until not in seen:
            piece = sock.recv(65536)
            if not piece:
                break
            seen += piece
    sock.close()
    return seen


def ask_alone(street, model, **fields):
    """`ask` on a connection of its own: one that is shared is closed by the drain."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=street.url, headers=headers, timeout=20, **NO_PROXY) as client:
        return ask(type("Alone", (), {"client": client}), model, **fields)


def ask_or_fail(street, model):
    """The status of a short request, None when there is no answer."""
    try:
        with httpx.Client(base_url=street.url, headers={"authorization": f"Bearer {KEY}"}, timeout=5, **NO_PROXY) as c:
            document = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            return c.post("/v1/chat/completions", json=document).status_code
    except httpx.HTTPError:
        return None
