"""HTTP/1.1 on one connection of uvicorn's server, in the place of its own protocol, which has no limits.

Limited are the size and time of a head, the pace of a body, and the number of connections; exactly one Host is taken.

A message is in one of three stages: nothing yet, its head, its body. Each stage has a deadline; there is none while a
response runs or after an upgrade. One lazily re-armed timer per connection serves them all. A refusal is an
OpenAI-shaped JSON error with `connection: close`, unless a response has begun: then the connection is just closed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Final, cast

import httptools
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.server import ServerState

from .cycle import CYCLE, KNOWN, LeanCycle
from .deadline import Deadline
from .repeated import RepeatedHead
from .request_head import asks_websocket, split, usual_scope, written
from .turnstile import Refusals
from .wire_limits import WireLimits, WireRefusal, body_too_large, head_too_large

_LINGER_S = 1.0
_LINGER_BYTES = 4 * 1024 * 1024
_BETWEEN: Final = 0  # the stages of a message: nothing of it yet,
_HEAD: Final = 1
_BODY: Final = 2


class HardenedProtocol:
    """One client connection: an asyncio protocol by its methods, uvicorn's by the names that its server knows."""

    def __init__(
        self,
        limits: WireLimits,
        refusals: Refusals,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.limits = limits
        self.refusals = refusals
        self.config = config
        self.app: ASGI3Application = config.loaded_app
        self.loop = _loop or asyncio.get_event_loop()
        self.server_state = server_state
        self.app_state = app_state
        self.connections: set[Any] = server_state.connections
        self.tasks = server_state.tasks
        self.parser: Any = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # what is pipelined behind an end
        self.transport: Any = None  # of the loop's own kind
        self.flow: Any = None  # a FlowControl, made with the connection
        self._logger = logging.getLogger("uvicorn.error")
        self._usual: dict[str, Any] = {}  # what the scopes of this connection have in common
        self.scope: dict[str, Any] = {}
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.cycle: LeanCycle | None = None  # of the message that came last
        self._running: LeanCycle | None = None  # the one that is being answered
        self._pipeline: deque[LeanCycle] = deque()
        self._stage: int = _BETWEEN
        self._silent = True  # nothing has ever arrived
        self._idle = False  # the deadline is that of keeping an idle connection
        self._upgrades = False
        self._expects = False
        self._began = False
        self._linger_bytes = 0
        self._refused = False
        self._reason: WireRefusal | None = None
        self._repeated: RepeatedHead | None = None
        self._head_bytes = self._headers_seen = self._hosts = self._unfinished = 0
        self._body_bytes = 0
        self._body_since_s = 0.0
        self._deadline = Deadline(self.loop, self._expire)

    def connection_made(self, transport: Any) -> None:
        """See asyncio."""
        self.connections.add(self)
        self.transport = transport
        self.refusals.taken += 1
        self.flow = FlowControl(transport)
        self._usual = usual_scope(self.config, transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(WireRefusal(503, "too_many_connections", "The server has no connection left; retry later."))
            return
        self._deadline.set(self.loop.time() + self.limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._deadline.stop()
        self._disconnect()
        self.connections.discard(self)
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # it knows us, and we know it

    def eof_received(self) -> None:
        """See asyncio: what was asked before is still answered."""

    def pause_writing(self) -> None:
        """See asyncio."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self.flow.resume_writing()

    def shutdown(self) -> None:
        """The server ends: close what idles; what runs says `connection: close`."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
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
            self._refuse(self._reason or WireRefusal(400, "invalid_http", "The request is not valid HTTP/1.1."))
            return
        if stage == self._stage != _BETWEEN and self._body_bytes == body_bytes:
            self._unfinished += len(data)  # a read that brought no body and finished no head
            if self._unfinished > self.limits.head_bytes:
                self._refuse(head_too_large(self.limits))
                return
        if self._stage == _BETWEEN and self._began:
            self._deadline_of_idle()  # a whole message, or the end of one and nothing else
            if stage == _BETWEEN and not self._upgrades and self.cycle is not None and self.cycle.keep_alive:
                self._repeated = RepeatedHead.of(data, {**self.scope, CYCLE: None, KNOWN: {}})
        else:
            self._set_deadline(self.loop.time(), stage)

    def _takes_another(self) -> bool:
        """Whether the next byte begins a message that can be served at once."""
        return self._stage == _BETWEEN and not (self._upgrades or self._pipeline or self._responding())

    def _repeat(self, head: RepeatedHead, body: bytes) -> None:
        """A whole request under a head that is known."""
        if self.refusals.shedding.share and self._turned_away(head):
            return
        self._silent = self._idle = False
        self._deadline.clear()
        self.scope = {**head.scope, "state": self.app_state.copy()}
        self.cycle = cycle = self._cycle(keep_alive=True)
        cycle.body = body
        cycle.more_body = False
        cycle.message_event.set()
        self._start(cycle)

    def _turned_away(self, head: RepeatedHead) -> bool:
        """Whether this call was one too many: answered before it costs anything, and the connection kept."""
        refusals = self.refusals
        if head.scope["raw_path"] not in refusals.paths or (answer := refusals.answer()) is None:
            return False
        self.transport.write(answer)
        self._deadline_of_idle()
        return True

    def _cycle(self, *, keep_alive: bool, expects: bool = False) -> LeanCycle:
        cycle = LeanCycle(
            cast("HTTPScope", self.scope),
            self.transport,
            self.flow,
            logger=self._logger,
            default_headers=self.server_state.default_headers,
            expect_100_continue=expects,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        self.scope[CYCLE] = cycle
        return cycle

    def _upgrade(self) -> None:
        if not self._asks_websocket():
            self._deadline.clear()  # answered like any other request; what follows on this connection is refused
            return
        self._deadline.stop()
        self.connections.discard(self)
        make: Any = self.config.ws_protocol_class
        protocol = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        protocol.data_received(written(self.scope["method"], self.url, self.headers))
        self.transport.set_protocol(protocol)

    def _asks_websocket(self) -> bool:
        return self.config.ws_protocol_class is not None and asks_websocket(self.headers)

    def on_message_begin(self) -> None:
        """A parser's callback, as those below."""
        self.url = b""
        self._expects = False
        self.headers = []
        self.scope = {**self._usual, "headers": self.headers, "state": self.app_state.copy()}
        self._began = True
        self._stage = _HEAD
        self._head_bytes = self._headers_seen = self._hosts = self._unfinished = 0
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.head_bytes:
            self._raise(head_too_large(self.limits))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        self._headers_seen += 1
        if self._head_bytes > self.limits.head_bytes or self._headers_seen > self.limits.headers:
            self._raise(head_too_large(self.limits))
        if self._stage == _BODY or b"_" in name:
            return  # a trailer, or a name that a gateway could confuse with one that has a dash
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length" and int(value) > self.limits.body_bytes:
            self._raise(body_too_large(self.limits))
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self.headers.append((name, value))

    def on_response_complete(self) -> None:
        """What was pipelined comes next; else the connection idles, for as long as it may."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._pipeline:
            self._start(self._pipeline.pop())
        else:
            self._deadline_of_idle()

    def _deadline_of_idle(self) -> None:
        """None while an answer is owed; else how long the connection is kept."""
        if self._refused or self._stage != _BETWEEN:
            return
        if self._pipeline or self._responding():
            self._deadline.clear()
        else:
            self._idle = True
            self._deadline.set(self.loop.time() + self.config.timeout_keep_alive)

    def on_headers_complete(self) -> None:
        if self._hosts != 1 and (self._hosts > 1 or self.parser.get_http_version() == "1.1"):
            self._raise(WireRefusal(400, "invalid_host", "Exactly one Host header is needed."))
        self._begin_cycle()
        self._stage = _BODY

    def _begin_cycle(self) -> None:
        """The head is understood: begin to answer, or queue behind what is being answered."""
        parser, scope = self.parser, self.scope
        version = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        self._upgrades = parser.should_upgrade() and self._asks_websocket()
        if self._upgrades:
            return
        scope["path"], scope["raw_path"], scope["query_string"] = split(self.url)
        before = self.cycle
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.cycle = self._cycle(keep_alive=keep_alive, expects=self._expects)
        if before is None or before.response_complete:
            self._start(self.cycle)
        else:
            self.flow.pause_reading()
            self._pipeline.appendleft(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._unfinished = 0
        if self._body_bytes > self.limits.body_bytes:
            self._raise(body_too_large(self.limits))
        cycle = self.cycle
        if cycle is None or self._upgrades or cycle.response_complete:
            return
        cycle.add(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._stage = _BETWEEN
        if self.cycle is None or self._upgrades or self.cycle.response_complete:
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _start(self, cycle: LeanCycle) -> None:
        self._running = cycle
        task = cycle.task = self.loop.create_task(cycle.run_asgi(self.app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _set_deadline(self, now_s: float, stage: int) -> None:
        if self._stage == _BETWEEN:
            if stage != _BETWEEN:
                self._deadline_of_idle()
            elif self._deadline.when_s == inf:  # nothing but line breaks: the clock goes on
                self._deadline.set(now_s + self.limits.head_s)
        elif self._stage == _BODY:
            if stage != _BODY:
                self._body_since_s = now_s
            limits = self.limits
            pace_s = self._body_since_s + limits.body_idle_s + self._body_bytes / limits.body_bytes_per_s
            self._deadline.set(min(now_s + limits.body_idle_s, pace_s))
        elif stage == _BODY or self._deadline.when_s == inf:
            self._deadline.set(now_s + self.limits.head_s)  # a message began, maybe behind the body of the last

    def _expire(self) -> None:
        now_s = self.loop.time()
        if self._refused or self._silent or self._idle:
            self.transport.close()
        elif self._stage == _BODY and self._we_hold_it_up():
            self._body_since_s = now_s
            self._deadline.set(now_s + self.limits.body_idle_s)
        elif self._stage != _BODY and self._responding():
            self._deadline.set(now_s + self.limits.head_s)
        else:
            self._refuse(WireRefusal(408, "request_timeout", "The request did not arrive in time."))

    def _we_hold_it_up(self) -> bool:
        return self.flow.read_paused or (self.cycle is not None and self.cycle.waiting_for_100_continue)

    def _responding(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _raise(self, reason: WireRefusal) -> None:
        self._reason = reason
        raise reason

    def _disconnect(self) -> None:
        """Tell every request of this connection that nobody will read its answer."""
        for cycle in (self._running, self.cycle, *self._pipeline):
            if cycle is not None and not cycle.response_complete:
                cycle.hang_up()

    def _refuse(self, reason: WireRefusal) -> None:
        self._refused = True
        self._deadline.stop()
        if self._stage == _BODY and self.cycle is not None:
            silent = self._running is not self.cycle or self.cycle.response_started
        else:
            silent = self._responding()
        self._disconnect()
        self._pipeline.clear()
        if self.transport.is_closing():
            return
        if silent:
            self.transport.close()
            return
        self.transport.write(reason.answer())
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


def hardened(limits: WireLimits, refusals: Refusals | None = None) -> Callable[..., HardenedProtocol]:
    """What makes a protocol with these limits, as uvicorn's `http=` wants it."""
    return partial(HardenedProtocol, limits, refusals or Refusals())
