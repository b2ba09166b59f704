"""A mock provider for load tests: one asyncio process that answers chat completions as cheaply as it can.

JSON answers and the head of a stream are written once, with TCP_NODELAY: two small writes would show up as 40 ms of
delayed acknowledgement and look like gateway latency. The text of the question chooses the stream:
`rate-50-count-100` sends 100 chunks, 50 a second; `rate-0-count-50` sends them all at once.
"""

import argparse
import asyncio
import json
import re
import socket
from typing import cast

CHUNK = {
    "id": "chatcmpl-mock",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "mock",
    "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}],
}
COMPLETION = {
    "id": "chatcmpl-mock",
    "object": "chat.completion",
    "created": 1,
    "model": "mock",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "a short answer"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}


def event(document: object) -> bytes:
    """One SSE event."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def frame(body: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


JSON_BODY = json.dumps(COMPLETION).encode()
JSON_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(JSON_BODY),
    JSON_BODY,
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TOKEN = frame(event(CHUNK))
LAST = frame(
    event({**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    + event({**CHUNK, "choices": [], "usage": COMPLETION["usage"]})
    + b"data: [DONE]\n\n"
)
END = b"0\r\n\r\n"
PACE = re.compile(rb"rate-(\d+)-count-(\d+)")


class Mock(asyncio.Protocol):
    """One connection, keep-alive, one request at a time."""

    def __init__(self) -> None:
        self.received = b""
        self.task: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (head_end := self.received.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"content-length: *(\d+)", self.received[:head_end], re.IGNORECASE)
            end = head_end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < end:
                return
            self.answer(self.received[head_end + 4 : end])
            self.received = self.received[end:]

    def answer(self, body: bytes) -> None:
        if b'"stream":true' not in body and b'"stream": true' not in body:
            self.transport.write(JSON_REPLY)
            return
        pace = PACE.search(body)
        rate, count = (int(pace[1]), int(pace[2])) if pace else (0, 50)
        if rate == 0:
            self.transport.write(STREAM_HEAD + TOKEN * count + LAST + END)
            return
        self.transport.write(STREAM_HEAD + TOKEN)
        self.tick(asyncio.get_running_loop().time(), 1 / rate, count - 1)

    def tick(self, due_s: float, step_s: float, left: int) -> None:
        if self.transport.is_closing():
            return
        if left <= 0:
            self.transport.write(LAST + END)
            return
        loop = asyncio.get_running_loop()
        self.task = loop.call_at(due_s + step_s, self.send, due_s + step_s, step_s, left)

    def send(self, due_s: float, step_s: float, left: int) -> None:
        self.transport.write(TOKEN)
        self.tick(due_s, step_s, left - 1)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self.task:
            self.task.cancel()


async def serve(port: int) -> None:
    """Listen on loopback until ended."""
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=9101)
    uvloop.run(serve(arguments.parse_args().port))
