"""uvicorn's httptools protocol with the limits it lacks: size and time of a head, pace of a body, exactly one Host.

A message is in one of three stages: nothing yet, its head, its body. Each stage has a deadline; there is none while a
response runs or after an upgrade. One lazily re-armed timer per connection serves them all. A refusal is an
OpenAI-shaped JSON error with `connection: close`, unless a response has begun: then the connection is just closed.
"""

import asyncio
import json
import urllib.parse
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from math import inf
from typing import Any, ClassVar, cast

import httptools
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .cycle import CYCLE, KNOWN, LeanCycle
from .deadline import Deadline
from .repeated import RepeatedHead
from .turnstile import Refusals

_LINGER_S = 1.0
_LINGER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What one connection may cost before a request is understood."""

    head_bytes: int = 32 * 1024  # request line and headers
    headers: int = 100
    head_s: float = 10.0  # for the complete head, from connect and from the first byte of each message
    body_idle_s: float = 30.0  # without a byte of a body that is under way
    body_bytes_per_s: int = 1024  # averaged over the body, after the first `body_idle_s`
    body_bytes: int = 64 * 1024 * 1024  # outer wall; routes have tighter ones
    connections: int = 10_000


class _Stage(Enum):
    BETWEEN = 0
    HEAD = 1
    BODY = 2


class _RefusedError(Exception):
    """Raised inside a parser callback; carries status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class HardenedProtocol(HttpToolsProtocol):
    """One client connection. Subclasses set `limits` and `refusals`."""

    limits: ClassVar[WireLimits] = WireLimits()
    refusals: ClassVar[Refusals] = Refusals()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._stage = _Stage.BETWEEN
        self._silent = True  # nothing has ever arrived
        self._idle = False  # the deadline is that of keeping an idle connection
        self._upgrades = False
        self._began = False
        self._linger_bytes = 0
        self._refused = False
        self._reason: _RefusedError | None = None
        self._repeated: RepeatedHead | None = None
        self._running: RequestResponseCycle | None = None
        self._head_bytes = self._headers_seen = self._hosts = self._unfinished = 0
        self._body_bytes = 0
        self._body_since_s = 0.0
        self._deadline = Deadline(self.loop, self._expire)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.refusals.taken += 1
        if len(self.connections) > self.limits.connections:
            self._refuse(_RefusedError(503, "too_many_connections", "The server has no connection left; retry later."))
            return
        self._deadline.set(self.loop.time() + self.limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.stop()
        self._disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._linger(len(data))
            return
        if self._repeated is not None and self._takes_another() and (body := self._repeated.body(data)) is not None:
            self._repeat(self._repeated, body)
            return
        self._silent = False
        stage, body_bytes = self._stage, self._body_bytes
        self._began = False
        if self._idle:
            self._idle = False
            self._deadline.clear()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
            return
        except httptools.HttpParserError:
            self._refuse(self._reason or _RefusedError(400, "invalid_http", "The request is not valid HTTP/1.1."))
            return
        if stage is self._stage is not _Stage.BETWEEN and self._body_bytes == body_bytes:
            self._unfinished += len(data)  # a read that brought no body and finished no head
            if self._unfinished > self.limits.head_bytes:
                self._refuse(self._too_large())
                return
        if self._stage is _Stage.BETWEEN and self._began:
            self._deadline_of_idle()  # a whole message, or the end of one and nothing else
            if stage is _Stage.BETWEEN and not self._upgrades and self.cycle.keep_alive:
                self._repeated = RepeatedHead.of(data, {**self.scope, CYCLE: None, KNOWN: {}})
        else:
            self._set_deadline(self.loop.time(), stage)

    def _takes_another(self) -> bool:
        """Whether the next byte begins a message that can be served at once."""
        return self._stage is _Stage.BETWEEN and not (self._upgrades or self.pipeline or self._responding())

    def _repeat(self, head: RepeatedHead, body: bytes) -> None:
        """A whole request under a head that is known."""
        if self.refusals.shedding.share and self._turned_away(head):
            return
        self._silent = self._idle = False
        self._deadline.clear()
        self.scope = cast("HTTPScope", {**head.scope, "state": self.app_state.copy()})
        self.cycle = cycle = self._cycle(keep_alive=True)
        cycle.body = body
        cycle.more_body = False
        cycle.message_event.set()
        self._start_asgi_task(cycle, self.app)

    def _turned_away(self, head: RepeatedHead) -> bool:
        """Whether this call was one too many: answered before it costs anything, and the connection kept."""
        refusals = self.refusals
        if head.scope["raw_path"] not in refusals.paths or (answer := refusals.answer()) is None:
            return False
        self.transport.write(answer)
        self._deadline_of_idle()
        return True

    def _cycle(self, *, keep_alive: bool, expects: bool = False) -> LeanCycle:
        scope = self.scope
        cycle = LeanCycle(
            scope,
            self.transport,
            self.flow,
            logger=self.logger,
            default_headers=self.server_state.default_headers,
            expect_100_continue=expects,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cast("dict[str, Any]", scope)[CYCLE] = cycle
        return cycle

    def handle_websocket_upgrade(self) -> None:
        self._deadline.stop()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began = True
        self._stage = _Stage.HEAD
        self._head_bytes = self._headers_seen = self._hosts = self._unfinished = 0
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.head_bytes:
            self._raise(self._too_large())
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        self._headers_seen += 1
        if self._head_bytes > self.limits.head_bytes or self._headers_seen > self.limits.headers:
            self._raise(self._too_large())
        if self._stage is _Stage.BODY or b"_" in name:
            return  # a trailer, or a name that a gateway could confuse with one that has a dash
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length" and int(value) > self.limits.body_bytes:
            self._raise(self._body_too_large())
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_response_complete(self) -> None:
        """As uvicorn does it, with the one timer of the connection for the time it may idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._deadline_of_idle()

    def _deadline_of_idle(self) -> None:
        """None while an answer is owed; else how long the connection is kept."""
        if self._refused or self._stage is not _Stage.BETWEEN:
            return
        if self.pipeline or self._responding():
            self._deadline.clear()
        else:
            self._idle = True
            self._deadline.set(self.loop.time() + self.timeout_keep_alive)

    def on_headers_complete(self) -> None:
        if self._hosts != 1 and (self._hosts > 1 or self.parser.get_http_version() == "1.1"):
            self._raise(_RefusedError(400, "invalid_host", "Exactly one Host header is needed."))
        self._begin_cycle()
        self._stage = _Stage.BODY

    def _begin_cycle(self) -> None:
        """As uvicorn does it, with our cycle and without what we do not use."""
        parser, scope = self.parser, self.scope
        version = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        self._upgrades = parser.should_upgrade() and self._should_upgrade()
        if self._upgrades:
            return
        scope["path"], scope["raw_path"], scope["query_string"] = (_known if len(self.url) <= 64 else _split)(self.url)
        before = self.cycle
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.cycle = self._cycle(keep_alive=keep_alive, expects=self.expect_100_continue)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._unfinished = 0
        if self._body_bytes > self.limits.body_bytes:
            self._raise(self._body_too_large())
        cycle = self.cycle
        if self._upgrades or cycle.response_complete:
            return
        cast("LeanCycle", cycle).add(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._stage = _Stage.BETWEEN
        if self._upgrades or self.cycle.response_complete:
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _upgrade(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        else:
            self._deadline.clear()  # answered like any other request; what follows on this connection is refused

    def _set_deadline(self, now_s: float, stage: _Stage) -> None:
        if self._stage is _Stage.BETWEEN:
            if stage is not _Stage.BETWEEN:
                self._deadline_of_idle()
            elif self._deadline.when_s == inf:  # nothing but line breaks: the clock goes on
                self._deadline.set(now_s + self.limits.head_s)
        elif self._stage is _Stage.BODY:
            if stage is not _Stage.BODY:
                self._body_since_s = now_s
            limits = self.limits
            pace_s = self._body_since_s + limits.body_idle_s + self._body_bytes / limits.body_bytes_per_s
            self._deadline.set(min(now_s + limits.body_idle_s, pace_s))
        elif stage is _Stage.BODY or self._deadline.when_s == inf:
            self._deadline.set(now_s + self.limits.head_s)  # a message began, maybe behind the body of the last

    def _expire(self) -> None:
        now_s = self.loop.time()
        if self._refused or self._silent or self._idle:
            self.transport.close()
        elif self._stage is _Stage.BODY and self._we_hold_it_up():
            self._body_since_s = now_s
            self._deadline.set(now_s + self.limits.body_idle_s)
        elif self._stage is not _Stage.BODY and self._responding():
            self._deadline.set(now_s + self.limits.head_s)
        else:
            self._refuse(_RefusedError(408, "request_timeout", "The request did not arrive in time."))

    def _we_hold_it_up(self) -> bool:
        return self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _responding(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _too_large(self) -> _RefusedError:
        limits = self.limits
        message = f"The head may have {limits.head_bytes} bytes and {limits.headers} headers at most."
        return _RefusedError(431, "headers_too_large", message)

    def _body_too_large(self) -> _RefusedError:
        return _RefusedError(413, "body_too_large", f"The body may have {self.limits.body_bytes} bytes at most.")

    def _raise(self, reason: _RefusedError) -> None:
        self._reason = reason
        raise reason

    def _disconnect(self) -> None:
        """Tell every request of this connection that nobody will read its answer."""
        for cycle in (self._running, self.cycle, *(queued for queued, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cast("LeanCycle", cycle).hang_up()

    def _refuse(self, reason: _RefusedError) -> None:
        self._refused = True
        self._deadline.stop()
        if self._stage is _Stage.BODY and self.cycle is not None:
            silent = self._running is not self.cycle or self.cycle.response_started
        else:
            silent = self._responding()
        self._disconnect()
        self.pipeline.clear()
        if self.transport.is_closing():
            return
        if silent:
            self.transport.close()
            return
        kind = "invalid_request_error" if reason.status < 500 else "server_error"
        error = {"message": reason.message, "type": kind, "param": None, "code": reason.code}
        body = json.dumps({"error": error}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        if reason.status == 503:
            head = b"retry-after: 1\r\n" + head
        self.transport.write(STATUS_LINE[reason.status] + head + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()  # a close with unread bytes would reset the answer away
            self._deadline.set(self.loop.time() + _LINGER_S)
        else:
            self.transport.close()

    def _linger(self, size: int) -> None:
        self._linger_bytes += size
        if self._linger_bytes > _LINGER_BYTES:
            self.transport.close()


def _split(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, raw path and query."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_known = lru_cache(maxsize=256)(_split)


def hardened(limits: WireLimits, refusals: Refusals | None = None) -> type[HardenedProtocol]:
    """The protocol class with these limits, as uvicorn's `http=` wants it."""
    return type("HardenedProtocol", (HardenedProtocol,), {"limits": limits, "refusals": refusals or Refusals()})
