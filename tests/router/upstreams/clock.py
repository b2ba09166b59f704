"""Virtual time for tests: sleeping moves the clock, nothing waits."""

from router.upstreams.inprocess import Clock


class VirtualTime:
    """A clock that stands still until somebody sleeps on it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    async def sleep(self, duration_s: float) -> None:
        """Advance at once."""
        self.now_s += duration_s

    @property
    def clock(self) -> Clock:
        """As the product wants it."""
        return Clock(now=lambda: self.now_s, sleep=self.sleep)
