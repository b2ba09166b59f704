"""Idle connections of one origin, newest first, and the count of calls in flight.

A connection is either out with exactly one exchange, or here; never both. A slot is given back exactly once per call.
"""

import asyncio
from collections import deque

from policies import Outcome

from .base import UpstreamFault
from .connection import Connection

QUEUE_S = 5.0


class Pool:
    """LIFO keep-alive pool with a bounded queue in front of `max_inflight` slots."""

    def __init__(self, *, max_inflight: int = 1024, max_pending: int = 1024, idle_s: float = 30.0) -> None:
        self.in_use = 0
        self.idle_s = idle_s
        self.queue_s = QUEUE_S  # the longest wait for a slot; half of the first-token limit if that is shorter
        self._max_inflight = max_inflight
        self._max_pending = max_pending
        self._idle: dict[Connection, None] = {}  # insertion order: the newest is the last
        self._queue: deque[asyncio.Future[None]] = deque()

    def try_enter(self) -> bool:
        """Take a slot at once if one is free."""
        if self.in_use >= self._max_inflight:
            return False
        self.in_use += 1
        return True

    async def enter(self, wait_s: float) -> None:
        """Take a slot, waiting up to `wait_s`. Raises UpstreamFault(router_overloaded) when none comes free."""
        if self.try_enter():
            return
        if len(self._queue) >= self._max_pending:
            raise UpstreamFault(
                Outcome.ROUTER_OVERLOADED, f"{self._max_inflight} calls in flight and the queue is full"
            )
        loop = asyncio.get_running_loop()
        slot: asyncio.Future[None] = loop.create_future()
        self._queue.append(slot)
        timer = loop.call_later(wait_s, self._give_up, slot, wait_s)
        try:
            await slot
        except asyncio.CancelledError:
            if slot in self._queue:
                self._queue.remove(slot)
            elif slot.done() and not slot.cancelled() and slot.exception() is None:
                self.leave()  # the slot arrived together with the cancellation
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give a slot back: to the first in the queue, if there is one."""
        while self._queue:
            slot = self._queue.popleft()
            if not slot.done():
                slot.set_result(None)
                return
        self.in_use -= 1

    def take(self) -> Connection | None:
        """The most recently used idle connection that is still open."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                return connection
        return None

    def put(self, connection: Connection, idle_s: float) -> None:
        """Keep an open connection for the next call."""
        self._idle[connection] = None
        connection.rest(idle_s, self._drop)

    def close(self) -> None:
        """Close everything that is idle."""
        while self._idle:
            self._idle.popitem()[0].cut()

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    def _drop(self, connection: Connection) -> None:
        self._idle.pop(connection, None)

    def _give_up(self, slot: asyncio.Future[None], waited_s: float) -> None:
        if not slot.done():
            self._queue.remove(slot)
            slot.set_exception(UpstreamFault(Outcome.ROUTER_OVERLOADED, f"no free slot within {waited_s:g} s"))
