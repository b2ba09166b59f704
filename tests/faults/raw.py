"""How clients ask: well-behaved ones with `ask`, the others in bytes. The street's witness hears all of them."""

import contextlib
import json
import socket
import struct
import time

import httpx

from .street import KEY, PROMPT
from .witness import Line


def ask(street, model, *fallbacks, stream=True, headers=None, client=None, **fields):
    """One chat completion, heard to its end."""
    document = {
        "model": model,
        "models": list(fallbacks),
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": stream,
        **fields,
    }
    began_s = time.monotonic()
    reply = (client or street.client).post("/v1/chat/completions", json=document, headers=headers)
    told = reply.extensions["told"]
    told.seconds = time.monotonic() - began_s
    return told


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
    sock = Line()
    street.witness.lines.append(sock)
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
    with street.visitor() as client:
        return ask(street, model, client=client, **fields)


def ask_or_fail(street, model):
    """The status of a short request, None when there is no answer."""
    try:
        with street.visitor(timeout=5) as client:
            return ask(street, model, client=client, stream=False).status
    except httpx.HTTPError:
        street.witness.statuses([None])
        return None
