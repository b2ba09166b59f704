"""Replies of upstreams that live in this process: bytes that fall due on a clock.

Rule: a reply is a finished schedule. `read()` waits for the next piece and hands over everything due by then, just as
a socket would, so it may be cancelled at any await without losing or repeating a byte.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from policies import Outcome

from .base import UpstreamFault, read_whole

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}
SSE_HEADERS: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as two functions, so that tests can run hours in no time. Seconds, monotonic."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes and when they are due, in seconds after the reply began."""

    at_s: float
    content: bytes


class ScheduledReply:
    """A `Reply` that plays a schedule; `fault` is raised once the schedule is over, in place of the clean end."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: Sequence[Piece],
        *,
        clock: Clock,
        idle_s: float = float("inf"),
        fault: UpstreamFault | None = None,
    ) -> None:
        self._status = status
        self._headers = headers
        self._pieces = pieces
        self._clock = clock
        self.idle_s = idle_s
        self._fault = fault
        self._next = 0
        self._began_s = clock.now()
        self.closed = False

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers with lower-case names."""
        return self._headers

    @property
    def completed(self) -> bool:
        """Whether every piece has been handed over."""
        return self._next >= len(self._pieces)

    async def read(self) -> bytes:
        """Everything due, at least one byte, or b"" at the end. Raises UpstreamFault on idleness or a planned fault."""
        if self.closed:
            return b""
        if self.completed:
            if self._fault is not None:
                raise self._fault
            return b""
        wait_s = self._began_s + self._pieces[self._next].at_s - self._clock.now()
        if wait_s > self.idle_s:
            await self._clock.sleep(self.idle_s)
            raise UpstreamFault(Outcome.IDLE_TIMEOUT, f"nothing arrived for {self.idle_s:g} s")
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        return self._due()

    def _due(self) -> bytes:
        age_s = max(self._clock.now() - self._began_s, self._pieces[self._next].at_s)
        first = self._next
        while self._next < len(self._pieces) and self._pieces[self._next].at_s <= age_s:
            self._next += 1
        if self._next == first + 1:
            return self._pieces[first].content
        return b"".join(piece.content for piece in self._pieces[first : self._next])

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """Everything to the end. Raises UpstreamFault beyond `limit_bytes`."""
        return await read_whole(self, limit_bytes)

    def close(self) -> None:
        """Stop; later reads give the clean end."""
        self.closed = True
