"""A deadline that moves often and passes seldom.

Moving it costs an assignment: the one timer that is pending re-arms itself when it finds the deadline moved away.
"""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, TypeVar

T = TypeVar("T")


class Deadline:
    """Calls `on_passed` once when the loop's clock reaches it. Never set at first."""

    __slots__ = ("_armed_s", "_loop", "_on_passed", "_timer", "when_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_passed: Callable[[], None]) -> None:
        self.when_s = inf
        self._loop = loop
        self._on_passed = on_passed
        self._timer: asyncio.TimerHandle | None = None
        self._armed_s = inf

    def set(self, when_s: float) -> None:
        """Replace the deadline; seconds on the loop's clock."""
        self.when_s = when_s
        if self._armed_s > when_s:
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
            self._armed_s = inf

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_s = self.when_s
        self._timer = self._loop.call_at(self.when_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._armed_s = inf
        if self.when_s == inf:
            return
        if self._loop.time() < self.when_s:
            self._arm()
            return
        self.when_s = inf
        self._on_passed()


class Overtime:
    """Ends work that takes too long, like `asyncio.timeout`, with one timer for all that runs.

    The timer stands at the first deadline there was; finding it moved away costs a look at what runs, and most work
    has the same limit, so that this is rare. Used by one event loop at a time.
    """

    __slots__ = ("_deadline", "_due_s", "_loop")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due_s: dict[asyncio.Task[Any], float] = {}
        self._deadline: Deadline | None = None

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """Await the work. Raises TimeoutError when it had to be cancelled. Not to be nested within one task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine that runs has a task
        if self._deadline is None or loop is not self._loop:
            self._loop, self._due_s, self._deadline = loop, {}, Deadline(loop, self._look)
        due = self._due_s
        when_s = due[task] = loop.time() + seconds
        if when_s < self._deadline.when_s:
            self._deadline.set(when_s)
        cancelling = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError:
            if task not in due and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            due.pop(task, None)

    def _look(self) -> None:
        if self._loop is None or self._deadline is None:
            return
        now_s = self._loop.time()
        for task in [task for task, when_s in self._due_s.items() if when_s <= now_s]:
            del self._due_s[task]
            task.cancel()
        if self._due_s:
            self._deadline.set(min(self._due_s.values()))
