import asyncio
import contextlib

from router.looplag import sample_lag
from tests.router.upstreams.clock import VirtualTime


async def test_lag_is_what_a_timer_is_late():
    time, seen = VirtualTime(), []

    class EnoughError(Exception):
        pass

    def observe(lag_s):
        seen.append(round(lag_s, 6))
        if len(seen) == 3:
            raise EnoughError

    async def late(duration_s):
        time.now_s += duration_s + 0.01 * len(seen)

    time.sleep = late
    with contextlib.suppress(EnoughError):
        await sample_lag(observe, clock=time.clock)
    assert seen == [0.0, 0.01, 0.02]


async def test_it_ends_when_cancelled():
    seen = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await sample_lag(seen.append, period_s=0.01)
    assert 1 <= len(seen) <= 5
