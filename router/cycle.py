"""One request and its answer on one connection: uvicorn's cycle with a leaner `send`.

The head is kept until the first piece of the body is there, so that a JSON answer is one write and one segment; if
nothing follows in the same turn of the loop, it leaves alone. Header values are checked once, all together.
"""

import asyncio
import re
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_BROKEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BODILESS = frozenset((204, 304))


class LeanCycle(RequestResponseCycle):
    """Sends what an ASGI application sends; the rest is uvicorn's."""

    _head: bytes | None = None
    _flush: asyncio.Handle | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Take one message of the answer. Waits while the client does not read. Raises RuntimeError for misuse."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            self._forget_head()
            return
        event = cast("dict[str, Any]", message)
        if not self.response_started:
            self._start(event)
        elif self.response_complete:
            raise RuntimeError(f"{event['type']!r} was sent after the answer was complete")
        else:
            self._continue(event)

    def _start(self, event: dict[str, Any]) -> None:
        if event["type"] != "http.response.start":
            raise RuntimeError(f"expected 'http.response.start', got {event['type']!r}")
        self.response_started = True
        self.waiting_for_100_continue = False
        status: int = event["status"]
        lines = [STATUS_LINE[status]]
        headers = [*self.default_headers, *event.get("headers", ())]
        closes = False
        for name, value in headers:
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection":
                closes = b"close" in value.lower()
                self.keep_alive = self.keep_alive and not closes
            lines.append(b"%b: %b\r\n" % (name, value))
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or _BROKEN.search(head):
            self.response_started = False
            raise RuntimeError("a response header holds a line break or a control character")
        self._head = head
        self._flush = asyncio.get_running_loop().call_soon(self._head_alone)

    def _head_alone(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self.disconnected:
            self.transport.write(head)

    def _forget_head(self) -> bytes:
        head, self._head = self._head, None
        if head is None:
            return b""
        if self._flush is not None:
            self._flush.cancel()
        return head

    def _continue(self, event: dict[str, Any]) -> None:
        if event["type"] != "http.response.body":
            raise RuntimeError(f"expected 'http.response.body', got {event['type']!r}")
        body: bytes = event.get("body", b"")
        more: bool = event.get("more_body", False)
        head = self._forget_head()
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (not more and self.expected_content_length):
                raise RuntimeError("the body is not as long as its content-length")
        if head or body:
            self.transport.write(head + body if head else body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
