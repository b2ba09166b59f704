"""Delayed hedging: when the first call is slow to begin, a second one to another target races it until one answers.

Before the commit only, on request only, and within a budget of extra calls. The loser is cancelled at once and stands
in the record as `hedge_lost`, before the attempt that answered; its prompt tokens are counted as spent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from policies import ErrorDetail, Outcome, Try

from .upstreams.base import UpstreamFault

if TYPE_CHECKING:
    from .walk import Walk

T = TypeVar("T")
LOST = ErrorDetail("another target answered sooner", "hedge_lost", Outcome.HEDGE_LOST.value)
BURST = 10.0  # hedges that a quiet pool may have saved up
MOST_POOLS = 1024


@dataclass(frozen=True, slots=True)
class _Fault(Generic[T]):
    """A call that failed, as a value: a task group must not die of it."""

    fault: UpstreamFault


class Allowances:
    """Extra calls each pool may make: every request earns its share of one, a hedge spends one."""

    def __init__(self) -> None:
        self._saved: dict[str, float] = {}

    def earn(self, pool: str, share: float) -> None:
        """A request that may be hedged begins."""
        if pool not in self._saved and len(self._saved) >= MOST_POOLS:
            self._saved.clear()
        self._saved[pool] = min(BURST, self._saved.get(pool, 0.0) + share)

    def spend(self, pool: str) -> bool:
        """Whether a hedge may go out now; then it is paid."""
        saved = self._saved.get(pool, 0.0)
        if saved < 1.0:
            return False
        self._saved[pool] = saved - 1.0
        return True


async def raced(
    walk: "Walk", call: Callable[[Try], Awaitable[T]], step: Try, after_s: float, discard: Callable[[T], None]
) -> T:
    """Call `step`, which has begun; after `after_s` without an answer also its hedge. The winner stays open.

    Raises UpstreamFault when every call failed; they are settled then.
    """
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(_as_value(call, step))]
            walk.racing(running[0])
            await asyncio.wait(running, timeout=after_s)
            if not running[0].done() and (other := walk.hedge(step)) is not None:
                running.append(group.create_task(_as_value(call, other)))
                walk.racing(running[1], other)
            return await _first(walk, running, discard)
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    finally:
        walk.race_over()


async def _first(walk: "Walk", running: list[asyncio.Task[T | _Fault[T]]], discard: Callable[[T], None]) -> T:
    last: UpstreamFault | None = None
    while running:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        done = next(task for task in running if task.done())
        running.remove(done)
        result = done.result()
        if not isinstance(result, _Fault):
            for loser in running:
                loser.cancel()
                if loser.done() and not loser.cancelled():
                    late = loser.result()
                    if not isinstance(late, _Fault):
                        discard(late)
                walk.lost(loser, LOST)
            walk.won(done)
            return result
        last = result.fault
        walk.failed(done, last)
    assert last is not None  # noqa: S101  there was at least one call
    raise last


async def _as_value(call: Callable[[Try], Awaitable[T]], step: Try) -> T | _Fault[T]:
    try:
        return await call(step)
    except UpstreamFault as fault:
        return _Fault(fault)
