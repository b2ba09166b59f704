"""Slots for calls: so many at once, and a bounded queue in front. A slot is given back exactly once per call."""

import asyncio
import math
from collections import deque

from policies import Outcome

from .base import UpstreamFault

QUEUE_S = 5.0  # the longest wait for a slot


class Slots:
    """First come, first served. How many there are may change while calls hold some."""

    def __init__(self, limit: float = math.inf, *, max_pending: int = 1024) -> None:
        self.in_use = 0
        self.limit = limit
        self._max_pending = max_pending
        self._queue: deque[asyncio.Future[None]] = deque()

    def try_enter(self) -> bool:
        """Take a slot at once if one is free."""
        if self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    async def enter(self, wait_s: float) -> None:
        """Take a slot, waiting up to `wait_s`. Raises UpstreamFault(router_overloaded) when none comes free."""
        if self.try_enter():
            return
        if len(self._queue) >= self._max_pending:
            message = f"{self.limit:g} calls in flight and the queue is full"
            raise UpstreamFault(Outcome.ROUTER_OVERLOADED, message)
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
        self.in_use -= 1
        if self._queue:
            self._serve()

    def resize(self, limit: float) -> None:
        """From now on there are so many; calls that hold one keep it."""
        self.limit = limit
        self._serve()

    def _serve(self) -> None:
        while self._queue and self.in_use < self.limit:
            slot = self._queue.popleft()
            if not slot.done():
                self.in_use += 1
                slot.set_result(None)

    def _give_up(self, slot: asyncio.Future[None], waited_s: float) -> None:
        if not slot.done():
            self._queue.remove(slot)
            slot.set_exception(UpstreamFault(Outcome.ROUTER_OVERLOADED, f"no free slot within {waited_s:g} s"))
