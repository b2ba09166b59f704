"""How many events a second a key may send, over all of its sessions: a bucket that refills steadily.

Kept by each process alone: it guards a process against being talked to without end, and asking a store for every event
would cost more than the event. What a key may use on all nodes together is counted by reply (`router.proxy.limits`).
"""

from collections.abc import Callable


class PacketMeter:
    """One per key. Holds one second's worth; what is beyond has to wait."""

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        self.rate = per_second
        self._clock = clock
        self._left = float(per_second)
        self._at_s = clock()

    @property
    def spent(self) -> bool:
        """Whether the next one would have to wait, but for what has come in since."""
        return self._left < 1

    def take(self) -> float:
        """Take one; seconds to wait before reading on (0: none)."""
        now_s = self._clock()
        self._left = min(self.rate, self._left + (now_s - self._at_s) * self.rate) - 1
        self._at_s = now_s
        return 0.0 if self._left >= 0 else min(1.0, max(0.05, -self._left / self.rate))


class PacketMeters:
    """The meters of a server's keys."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._meters: dict[str, PacketMeter] = {}

    def of(self, tenant: str, per_second: int) -> PacketMeter:
        """The meter of a key; sessions of one key share it, until the configuration gives the key another rate."""
        meter = self._meters.get(tenant)
        if meter is None or meter.rate != per_second:
            meter = self._meters[tenant] = PacketMeter(per_second, self._clock)
        return meter
