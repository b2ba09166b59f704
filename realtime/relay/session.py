"""One relayed session on one WebSocket: read, pass on, write; and carry it over when its upstream dies.

The course decides, the bridge finds upstreams, the books count; this room only moves frames, and it is dull. Memory is
bounded both ways: who does not read is not read from.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson

from policies import Facts
from realtime.account import Account
from realtime.codec import Dialect
from realtime.lifetime import BINARY, Receive, Send, life, too_fast
from realtime.opening import Opening
from realtime.outbox import Outbox
from realtime.protocol import Fault
from realtime.studio import Studio
from router.refusal import Refusal
from router.upstreams.base import UpstreamFault
from router.ws_short_way import ShortWay

from .books import Books
from .bridge import Bridge
from .course import Course
from .endings import close_code, in_session
from .frames import error, event
from .names import beginning
from .upstream import Line, RealtimeUpstreams
from .vigil import Owed, Vigil

SILENT_S = 1.0  # an upstream that dies so young, with nothing lost, is replaced without a word
GOING = "The server is shutting down."


class RelaySession:
    """One connection from open to close. `open` before the upgrade is answered or after, then `run`."""

    def __init__(self, studio: Studio, opening: Opening, upstreams: RealtimeUpstreams, facts: Facts) -> None:
        self.id = opening.session_id
        self._studio = studio
        self._opening = opening
        account = Account(self.id, opening.principal, opening.limiter)
        self._bridge = Bridge(studio.router, upstreams, facts, account.caller())
        self._course = Course(
            self._attempts,
            frozenset({facts.model}),
            beginning(opening.bound, beta=opening.dialect is Dialect.BETA),
            ends_at_s=int(studio.wall() + studio.settings.limits.session_minutes * 60),
            client_beta=opening.dialect is Dialect.BETA,
        )
        self._outbox = Outbox()
        self._books = Books(studio, account, self._bridge, down=self._outbox.put, cancel=self._cancel)
        self._line: Line | None = None
        self._ready = asyncio.Event()  # the upstream may be spoken to
        self._group: asyncio.TaskGroup | None = None
        self._full = False  # the client does not read: nothing is read for it
        self._draining = False
        owed = Owed(
            due=lambda: self._course.waits,
            held_up=lambda: self._full or not self._ready.is_set(),
            patience_s=lambda: self._bridge.patience_s,
        )
        self._vigil = Vigil(studio, owed, expire=self._expire, stalled=self._stalled)

    async def open(self) -> None:
        """Find an upstream. Raises Refusal when nobody takes the session."""
        self._line = await self._bridge.open()

    async def run(self, receive: Receive, send: Send, way: ShortWay | None = None) -> None:
        """Serve the connection until either side ends it. `way`: past the server's queues, where it has one."""
        try:
            async with life(self.id, send) as group:
                self._group = self._books.group = group
                tasks = [group.create_task(self._read(receive)), group.create_task(self._pump())]
                self._vigil.begin()
                try:
                    await self._outbox.run(send, way.write if way is not None else None)
                finally:
                    for task in tasks:
                        task.cancel()
                    self._vigil.end()
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the upstream and end the record. May be repeated."""
        self._group = self._books.group = None
        self._bridge.finish()
        self._books.close()
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def drain(self) -> None:
        """The server wants to end: so does the session, after the response under way."""
        self._draining = True
        self._keep()

    # --- client to upstream ------------------------------------------------------------------------------------------

    async def _read(self, receive: Receive) -> None:
        meter = self._opening.meter
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._outbox.close(1000, "")
                return
            self._vigil.client_spoke()
            text = message.get("text")
            if text is None:
                self._tell(BINARY)
                continue
            wait_s = meter.take()
            if wait_s > 0:
                self._tell(too_fast(wait_s))
                await asyncio.sleep(wait_s)
            await self._ready.wait()
            if not self._course.waits:
                self._vigil.upstream_spoke()
            sides = self._course.from_client(text.encode())
            self._put(sides.down)
            self._vigil.expect()
            line = self._line
            if line is not None:
                await self._send(line, sides.up)

    async def _send(self, line: Line, frames: Iterable[bytes]) -> None:
        """Pass frames on, and wait with an upstream that does not read; the vigil sees that it is not for ever."""
        for frame in frames:
            self._vigil.sending()
            await line.send(frame)
            self._vigil.sent()

    # --- upstream to client ------------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        line = self._line
        if line is None:
            return
        self._course.models |= {self._bridge.target, self._bridge.target.partition("/")[2]}
        first = self._course.begin(beta=self._bridge.beta)
        while True:
            self._put(self._course.from_upstream(self._bridge.greeting))
            await self._send(line, first)
            self._vigil.upstream_spoke()
            self._ready.set()
            self._vigil.expect()
            fault = in_session(await self._listen(line), self._course.last_error)
            changed = await self._change(fault)
            if changed is None:
                return
            line, first = changed

    async def _listen(self, line: Line) -> UpstreamFault:
        """Pass on until the line ends; why it did."""
        while True:
            try:
                frame = await line.receive()
            except UpstreamFault as fault:
                return fault
            self._vigil.upstream_spoke()
            if frame is None:
                self._books.odd += 1
                continue
            self._put(self._course.from_upstream(frame))
            self._keep()
            self._full = True
            await self._outbox.room()
            self._full = False

    async def _change(self, fault: UpstreamFault) -> tuple[Line, list[bytes]] | None:
        """Find another upstream; None when nobody is left, and the client was told."""
        self._ready.clear()
        lost, old = self._bridge.target, self._line
        silent = self._bridge.held_s <= SILENT_S
        self._bridge.lose(fault)
        words = error(fault.error.code or fault.outcome.value, f"{lost} was lost: {fault.outcome.value}")
        self._put(self._course.lost(words, silent=silent))
        self._keep()
        self._line = None
        if old is not None:
            await old.close()
        try:
            line = self._line = await self._bridge.next()
        except Refusal as refusal:
            code = refusal.code or "upstream_error"
            self._tell(Fault(code=code, message=refusal.message, kind=refusal.kind))
            self._outbox.close(close_code(refusal), f"{refusal.kind}.{code}")
            return None
        frames = self._course.resume(beta=self._bridge.beta)
        items, lost_ms = self._course.said_again()
        if not silent or lost_ms:
            told = (
                f"{lost} ended the session ({fault.outcome.value}); it goes on with {self._bridge.target}: "
                f"{items} items were told again, {lost_ms:.0f} ms of sound were lost."
            )
            self._tell(Fault(code="upstream_changed", message=told, kind="server_error"))
        return line, frames

    # --- the end -----------------------------------------------------------------------------------------------------

    def _expire(self, code: str, message: str, close: int) -> None:
        fault = error(code, message, kind="invalid_request_error")
        self._put([*self._course.lost(fault, silent=True), event("error", error=fault)])
        self._keep()
        self._outbox.close(close, message)

    def _stalled(self, fault: UpstreamFault) -> None:
        if self._line is not None and self._group is not None:
            self._group.create_task(self._line.fail(fault))

    # --- small things ------------------------------------------------------------------------------------------------

    def _put(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._outbox.put(frame)

    def _keep(self) -> None:
        notes = self._course.notes
        while notes:
            note = notes.popleft()
            self._books.note(note)
            if note.what == "began":
                self._vigil.expect()
        if self._draining and not self._course.busy:
            self._outbox.close(1001, GOING)

    def _cancel(self, frame: bytes) -> None:
        if self._line is not None and self._group is not None:
            self._group.create_task(self._send(self._line, [frame]))

    def _tell(self, fault: Fault) -> None:
        self._outbox.put(event("error", error=error(fault.code, fault.message, kind=fault.kind)))

    def _attempts(self) -> Any:
        told = self._bridge.attempts()
        return told if self._opening.dialect is Dialect.INWORLD else orjson.dumps(told).decode()
