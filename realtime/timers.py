"""The timers of one session: set and forgotten by the machine, told to it when they fire."""

import asyncio
from collections.abc import Callable

from .protocol import TimerFired, WakeAfter


class Timers:
    """`fired` is called in the loop with the event of a timer that was neither cancelled nor closed."""

    def __init__(self, fired: Callable[[TimerFired], None], clock_ms: Callable[[], float]) -> None:
        self._fired = fired
        self._clock_ms = clock_ms
        self._running: dict[str, asyncio.TimerHandle] = {}

    def wake_after(self, effect: WakeAfter) -> None:
        """Set one."""
        loop = asyncio.get_running_loop()
        timer_id = effect.timer_id
        self._running[timer_id] = loop.call_later(max(0.0, effect.delay_ms / 1000), self._fire, timer_id)

    def _fire(self, timer_id: str) -> None:
        if self._running.pop(timer_id, None) is not None:
            self._fired(TimerFired(timer_id=timer_id, at_ms=self._clock_ms()))

    def cancel(self, timer_id: str) -> None:
        """Forget one. May be repeated."""
        timer = self._running.pop(timer_id, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget all."""
        for timer_id in list(self._running):
            self.cancel(timer_id)
