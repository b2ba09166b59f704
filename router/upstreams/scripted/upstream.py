"""The scripts inside the process, as an `Upstream`: no socket, virtual time if wanted."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from policies import Outcome
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.inprocess import Clock, Piece, ScheduledReply

from .asking import Incoming, take
from .journal import Journal, Seen
from .script import FOREVER_S, End, Script


class ScriptedUpstream:
    """Plays `scripted/<fault>`. `time_scale` multiplies every pause; `gap_s` lies between two deltas."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        gap_s: float = 0.0,
        time_scale: float = 1.0,
        keep_bodies: bool = False,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock or Clock()
        self._gap_s = gap_s
        self._scale = time_scale
        self._wall_s = wall_s
        self.journal = Journal(keep_bodies=keep_bodies)

    async def send(self, call: Call) -> ScheduledReply:
        """Play the script of the call's model."""
        incoming = Incoming(call.path, call.body, call.headers)
        seen, script, _ = take(incoming, self.journal, now=self._wall_s(), gap_s=self._gap_s)
        try:
            if script.status is None and script.end is End.HANG:
                await self._clock.sleep(call.timeouts.total_s)
                seen.client_gone = True
                raise UpstreamFault(Outcome.HEADER_TIMEOUT, f"no answer within {call.timeouts.total_s:g} s")
            await self._clock.sleep(script.head_s * self._scale)
        except asyncio.CancelledError:
            seen.client_gone = True
            raise
        if script.status is None:
            raise UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "the connection was closed before an answer came")
        return _Witnessed(seen, script, self._pieces(script), clock=self._clock, idle_s=call.timeouts.idle_s)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _pieces(self, script: Script) -> list[Piece]:
        at_s, pieces = 0.0, []
        for step in script.steps:
            if isinstance(step, bytes):
                pieces.append(Piece(at_s, step))
            else:
                at_s += step * self._scale
        if script.end is End.HANG:
            pieces.append(Piece(at_s + FOREVER_S, b""))
        return pieces


class _Witnessed(ScheduledReply):
    """A reply that notes in the journal how it ended."""

    def __init__(self, seen: Seen, script: Script, pieces: list[Piece], **fields: Any) -> None:
        headers = {name: value for name, value in script.headers if value.isascii() and value.isprintable()}
        super().__init__(script.status or 200, headers, pieces, fault=_fault(script), **fields)
        self._seen = seen
        self._ends_well = script.end in {End.CLEAN, End.STALE}

    async def read(self) -> bytes:
        part = await super().read()
        if self.completed and self._ends_well:
            self._seen.completed = True
        return part

    def close(self) -> None:
        if not self.closed and not self.completed:
            self._seen.client_gone = True
        super().close()


def _fault(script: Script) -> UpstreamFault | None:
    match script.end:
        case End.CUT:
            return UpstreamFault(Outcome.TRUNCATED, "the connection was closed in the middle of the answer")
        case End.RESET:
            return UpstreamFault(Outcome.RESET_AFTER_COMMIT, "the connection was reset in the middle of the answer")
        case _:
            return None
