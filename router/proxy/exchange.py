"""One HTTP exchange on raw ASGI: what came in, and the one answer that goes out.

Holds the promises every answer shares: a request id, CORS headers, a body cap that answers before the body is read
out, and a watch for clients that hang up.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TypeVar

from router.cycle import CYCLE, LeanCycle, header_lines
from router.refusal import Refusal

from .envelopes import envelope
from .faults import ClientGone, refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
T = TypeVar("T")
QUICK_S = 0.02

SANE_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
JSON = (b"content-type", b"application/json")
EXPOSED = (
    "x-request-id, x-rr-route, x-rr-variant, x-rr-model, x-rr-provider, x-rr-attempts, x-rr-cost-usd, "
    "x-rr-overhead-ms, server-timing, openai-processing-ms, x-should-retry, retry-after, retry-after-ms, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, location"
)
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED.encode()),
)


class Exchange:
    """One request and its answer. `started_s` is monotonic; header names are lower-case bytes."""

    __slots__ = (
        "_cycle",
        "_receive",
        "_send",
        "committed",
        "headers",
        "method",
        "path",
        "request_id",
        "scope",
        "started_s",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started_s = time.monotonic()
        self.scope = scope
        self._cycle: LeanCycle | None = scope.get(CYCLE)  # of our own server; another one has `receive` and `send`
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._cycle is None:  # else the protocol has seen to it
            self.headers = {name: value for name, value in self.headers.items() if b"_" not in name}
        self.committed = False
        asked = self.headers.get(b"x-request-id", b"")
        own = not asked or not SANE_ID.fullmatch(asked)
        self.request_id = f"req_{random.getrandbits(96).to_bytes(12, 'big').hex()}" if own else asked.decode()

    def header(self, name: str) -> str:
        """A request header's value, or an empty text."""
        return self.headers.get(name.encode("latin-1"), b"").decode("latin-1")

    async def body(self, limit_bytes: int) -> bytes:
        """The whole body. Raises Refusal 413 as soon as the limit is passed, whatever the length header said."""
        encoding = self.headers.get(b"content-encoding", b"")
        if encoding and encoding.lower() != b"identity":
            raise refused(
                415, f"content-encoding {encoding.decode('latin-1')[:40]!r} is not accepted; send the body as it is"
            )
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > limit_bytes:
            raise too_large(limit_bytes)
        whole = None if self._cycle is None else self._cycle.whole()
        if whole is not None:
            if len(whole) > limit_bytes:
                raise too_large(limit_bytes)
            return whole
        message = await self._receive()
        parts = bytearray()
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts += message.get("body", b"")
            if len(parts) > limit_bytes:
                raise too_large(limit_bytes)
            if not message.get("more_body", False):
                return bytes(parts)
            message = await self._receive()

    async def hangup(self) -> None:
        """Returns never; raises ClientGone when the client has gone."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone

    def watched(self, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Do the work, or cancel it at once when the client hangs up (ClientGone).

        The watch begins after `QUICK_S`: most of what is over sooner would be answered before anybody could hang up,
        and a task per request is not free.
        """
        return self._polled(work) if self._cycle is None else self._told(self._cycle, work)

    async def _polled(self, work: Coroutine[Any, Any, T]) -> T:
        watch = _Watch(self)
        timer = asyncio.get_running_loop().call_later(QUICK_S, watch.begin)
        try:
            return await work
        except asyncio.CancelledError:
            if watch.found_gone():
                raise ClientGone from None
            raise
        finally:
            timer.cancel()
            watch.end()

    @staticmethod
    async def _told(cycle: LeanCycle, work: Coroutine[Any, Any, T]) -> T:
        """The same where the connection itself says that the client went."""
        task = cycle.task
        gone = False

        def hung_up() -> None:
            nonlocal gone
            gone = True
            if task is not None:
                task.cancel()

        if cycle.disconnected:
            work.close()
            raise ClientGone
        cycle.on_hangup = hung_up
        try:
            return await work
        except asyncio.CancelledError:
            if gone and task is not None:
                task.uncancel()
                raise ClientGone from None
            raise
        finally:
            cycle.on_hangup = None

    def shared_headers(self) -> list[Header]:
        """The headers every answer carries."""
        headers: list[Header] = [(b"x-request-id", self.request_id.encode())]
        if b"origin" in self.headers:
            headers += CORS
        if b"anthropic-version" in self.headers:  # its SDKs read the id under another name
            headers.append((b"request-id", self.request_id.encode()))
        return headers

    async def begin(self, status: int, headers: list[Header]) -> None:
        """Send the status line and headers; `shared_headers` are added."""
        self.committed = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers + self.shared_headers()})

    async def write(self, chunk: bytes, *, more: bool = True) -> None:
        """Send a piece of the body; waits while a slow client has not read what went before."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    @property
    def forward(self) -> Callable[[bytes], bool] | None:
        """Sends a piece of the body at once; it says False when no more should come that way for now."""
        return None if self._cycle is None or not self._cycle.chunked_encoding else self._cycle.forward

    async def respond(self, status: int, body: bytes, headers: list[Header] | None = None) -> None:
        """Send a whole answer (JSON unless a content type is given). HEAD gets the headers alone."""
        extra = headers or []
        names = [name for name, _ in extra]
        kind = [] if b"content-type" in names else [JSON]
        if b"connection" not in names and self._at_once(status, header_lines([*extra, *kind]), body):
            return
        await self.begin(status, [*kind, (b"content-length", str(len(body)).encode()), *extra])
        await self.write(b"" if self.method == "HEAD" else body, more=False)

    async def respond_with(self, status: int, body: bytes, lines: bytes) -> None:
        """Send a whole answer whose header lines are written out, its content type among them."""
        if not self._at_once(status, lines, body):
            await self.respond(status, body, header_pairs(lines))

    def _at_once(self, status: int, lines: bytes, body: bytes) -> bool:
        """Send all of an answer in one call, where our own server takes it so."""
        cycle = self._cycle
        if cycle is None:
            return False
        plain = b"origin" not in self.headers and b"anthropic-version" not in self.headers
        own = b"x-request-id: %b\r\n" % self.request_id.encode() if plain else header_lines(self.shared_headers())
        if not cycle.answer(status, lines + own, body):
            return False
        self.committed = True
        return True

    def handed_over(self, body: bytes) -> tuple[Scope, Receive, Send]:
        """The exchange for another ASGI application: its body read already, its answer with the shared headers."""
        replay = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return replay.pop() if replay else await self._receive()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.committed = True
                message = {**message, "headers": [*message.get("headers", []), *self.shared_headers()]}
            await self._send(message)

        return {**self.scope, "rr.request_id": self.request_id}, receive, send

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal in the envelope."""
        headers = encode_headers(refusal.headers)
        if refusal.status == 413:
            headers.append((b"connection", b"close"))
        await self.respond(refusal.status, envelope(self.path, refusal, self.request_id), headers)


class _Watch:
    """Waits for the client to go, beside the work of an exchange, and cancels that work when it does."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._working = asyncio.current_task()
        self._task: asyncio.Task[None] | None = None
        self._gone = False

    def begin(self) -> None:
        """Begin to wait; owned by the exchange, which ends it."""
        self._task = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        try:
            await self._exchange.hangup()
        except ClientGone:
            self._gone = True
            if self._working is not None:
                self._working.cancel()

    def found_gone(self) -> bool:
        """Whether the cancellation came from here; then it counts as handled."""
        if self._gone and self._working is not None:
            self._working.uncancel()
        return self._gone

    def end(self) -> None:
        """Nobody works any more."""
        if self._task is not None:
            self._task.cancel()


def header_pairs(lines: bytes) -> list[Header]:
    """Header lines as ASGI wants them."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n")) if name]


def encode_headers(headers: Mapping[str, str]) -> list[Header]:
    """Text headers as ASGI wants them; anything outside printable ASCII becomes a question mark."""
    return [(name.encode("ascii"), printable(value)) for name, value in headers.items()]


@lru_cache(4096)
def printable(value: str) -> bytes:
    """A header value that cannot break out of its line."""
    encoded = value.encode("ascii", "replace")
    return encoded if value.isprintable() else bytes(byte if 32 <= byte < 127 else 63 for byte in encoded)


def too_large(limit_bytes: int) -> Refusal:
    """A body beyond the cap."""
    message = f"The request body is larger than the limit of {limit_bytes} bytes; send less, or raise the limit."
    return refused(413, message, code="request_too_large")
