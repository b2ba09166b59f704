"""One request and its answer on one connection, in the place of uvicorn's own cycle.

The head is kept until the first piece of the body is there, so that a JSON answer is one write and one segment; if
nothing follows in the same turn of the loop, it leaves alone. Header values are checked once, all together. Besides
ASGI's `receive` and `send` it offers two shortcuts, found in the scope under `CYCLE`: a whole answer in one call, and a
word when the client hangs up, so that nobody has to wait for it beside the work.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent, HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

CYCLE = "rr.cycle"
KNOWN = "rr.known"  # what was found out about a head that is sent again and again
_BROKEN = bytes((*range(9), 11, 12, *range(14, 32), 127))  # control characters but tab and line ends
_BODILESS = frozenset((204, 304))
_DEFECT = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"21"),
    (b"connection", b"close"),
)


class Bell:
    """An event that costs nothing while nobody waits for it."""

    __slots__ = ("_event", "rung")

    def __init__(self) -> None:
        self.rung = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        """Ring."""
        self.rung = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """Not rung any more."""
        self.rung = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        """Return when it has been rung."""
        if not self.rung:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Headers as they go over the wire. Raises RuntimeError for a line break or a control character in one."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    check(lines, len(headers))
    return lines


def check(lines: bytes, count: int) -> None:
    """See that there are so many header lines and nothing that could pass for another."""
    if lines.count(b"\n") != count or lines.count(b"\r") != count or len(lines.translate(None, _BROKEN)) != len(lines):
        raise RuntimeError("a response header holds a line break or a control character")


class LeanCycle:
    """Runs an ASGI application for one request and takes what it sends.

    What uvicorn's protocol and server know of a cycle is here under their names.
    """

    def __init__(
        self,
        scope: HTTPScope,
        transport: Any,  # of the loop's own kind
        flow: FlowControl,
        *,
        logger: Any,
        default_headers: list[tuple[bytes, bytes]],
        expect_100_continue: bool,
        keep_alive: bool,
        on_response: Callable[..., None],
    ) -> None:
        self.scope = scope
        self.transport = transport
        self.flow = flow
        self.logger = logger
        self.default_headers = default_headers
        self.message_event = Bell()
        self._on_response: Callable[..., None] | None = on_response
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expect_100_continue
        self.body: bytes | bytearray = b""  # mostly one piece
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self.task: asyncio.Task[None] | None = None  # in which the application runs
        self.on_hangup: Callable[[], None] | None = None  # told once when the client goes before the answer is complete
        self._head: bytes | None = None
        self._flush: asyncio.Handle | None = None

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Let the application answer; what it leaves undone or gets wrong is said and made good."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException:
            self.logger.exception("Exception in ASGI application")
            await self._fail()
        else:
            if not (self.response_complete or self.disconnected):
                done = "completing" if self.response_started else "starting"
                self.logger.error("ASGI callable returned without %s response.", done)
                await self._fail()
        finally:  # what refers to itself in a circle would stay until the next collection
            self._on_response = self.task = None
            cast("dict[str, Any]", self.scope).pop(CYCLE, None)

    async def _fail(self) -> None:
        if self.response_started:
            self.transport.close()
            return
        await self.send({"type": "http.response.start", "status": 500, "headers": _DEFECT})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error", "more_body": False})

    def add(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if not self.body:
            self.body = piece
            return
        if isinstance(self.body, bytes):
            self.body = bytearray(self.body)
        self.body += piece

    def hang_up(self) -> None:
        """Nobody will read the answer."""
        self.disconnected = True
        self.message_event.set()
        told, self.on_hangup = self.on_hangup, None
        if told is not None:
            told()

    async def receive(self) -> ASGIReceiveEvent:
        """See ASGI."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            bell = self.message_event
            await bell.wait()
            bell.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}

    def whole(self) -> bytes | None:
        """The body of the request when all of it is there, as `receive` would give it; None: use `receive`."""
        if self.more_body or self.disconnected or self.response_complete or self.waiting_for_100_continue:
            return None
        if self.flow.read_paused:
            self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = self.body, b""
        return bytes(body)

    def answer(self, status: int, lines: bytes, body: bytes) -> bool:
        """The whole answer at once. `lines`: header lines, sound and whole, that neither frame it nor name the
        connection. False: use `send` instead.
        """
        if self.disconnected or self.response_started or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.default_headers:
            lines = header_lines(self.default_headers) + lines
        close = b"" if self.keep_alive else b"connection: close\r\n"
        self.transport.write(
            b"%bcontent-length: %d\r\n%b%b\r\n%b" % (STATUS_LINE[status], len(body), lines, close, body)
        )
        self._end()
        return True

    def forward(self, piece: bytes) -> bool:
        """A piece of a chunked body whose head is sent. False: the client does not keep up, or is gone."""
        if self.disconnected or self.response_complete:
            return False
        self.transport.write(b"%b%x\r\n%b\r\n" % (self._forget_head(), len(piece), piece))
        return not self.flow.write_paused

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
        lines = []
        closes = False
        for name, value in [*self.default_headers, *event.get("headers", ())]:
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
        joined = b"".join(lines)
        try:
            check(joined, len(lines))
        except RuntimeError:
            self.response_started = False
            raise
        self._head = STATUS_LINE[status] + joined + b"\r\n"
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
        head = self._forget_head() if self._head is not None else b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            if not more:
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            elif body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (not more and self.expected_content_length):
                raise RuntimeError("the body is not as long as its content-length")
        if head or body:
            self.transport.write(head + body if head else body)
        if not more:
            self._end()

    def _end(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        if self._on_response is not None:
            self._on_response()
