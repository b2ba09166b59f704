"""A deadline that moves often and passes seldom.

Moving it costs an assignment: the one timer that is pending re-arms itself when it finds the deadline moved away.
"""

import asyncio
from collections.abc import Callable
from math import inf


class Deadline:
    """Calls `on_passed` once when the loop's clock reaches it. Never set at first."""

    __slots__ = ("_loop", "_on_passed", "_timer", "when_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_passed: Callable[[], None]) -> None:
        self.when_s = inf
        self._loop = loop
        self._on_passed = on_passed
        self._timer: asyncio.TimerHandle | None = None

    def set(self, when_s: float) -> None:
        """Replace the deadline; seconds on the loop's clock."""
        self.when_s = when_s
        if self._timer is None or self._timer.when() > when_s:
            self._arm()

    def clear(self) -> None:
        """Nobody waits; a pending timer will find nothing to do."""
        self.when_s = inf

    def stop(self) -> None:
        """Clear, and drop the pending timer with what it holds alive."""
        self.when_s = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self.when_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.when_s == inf:
            return
        if self._loop.time() < self.when_s:
            self._arm()
            return
        self.when_s = inf
        self._on_passed()
