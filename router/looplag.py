"""How late the event loop is: a timer that measures its own delay.

Lag is the one figure that shows a blocked loop whatever blocked it; it also feeds load shedding.
"""

import asyncio
from collections.abc import Callable

from .upstreams.inprocess import Clock


async def sample_lag(observe: Callable[[float], None], *, period_s: float = 0.1, clock: Clock | None = None) -> None:
    """Tell `observe` the lag in seconds, once a period, until cancelled."""
    clock = clock or Clock()
    while True:
        due_s = clock.now() + period_s
        await clock.sleep(period_s)
        observe(max(0.0, clock.now() - due_s))
        await asyncio.sleep(0)
