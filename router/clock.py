"""Time and chance as values, so that tests can run hours in no time and repeat their luck."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` is monotonic, `wall` is Unix time, both in seconds; `chance` is uniform in [0, 1)."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    bits: Callable[[int], int] = random.getrandbits  # so many random bits; names answers, guards nothing
