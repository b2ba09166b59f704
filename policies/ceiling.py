"""How many calls a target may have under way at once, learnt from its 429s. No clock: the time is handed in.

Additive increase, multiplicative decrease (Chiu and Jain, 1989): a 429 cuts the ceiling to three quarters of what was
under way; while it holds calls back it rises by one call each 10 s; after 300 s without a 429 there is none.

What it costs a request, of about 1 µs that the bookkeeping of a target takes: 0.1 µs for the slot that is counted and
given back; under a ceiling 0.2 µs more, and 1.2 µs for the next decision, which sees the target anew.
"""

import math
from dataclasses import dataclass

CUT = 0.75
RISE_S = 10.0
FORGET_S = 300.0


@dataclass(slots=True)
class Ceiling:
    """The ceiling of one target. All times are seconds on one monotonic clock."""

    calls: float = math.inf
    _cut_s: float = -math.inf
    _moved_s: float = -math.inf

    def refused(self, under_way: int, *, began_s: float, now_s: float) -> None:
        """A call was answered 429; `under_way` counts it. Calls from before a cut do not cut again."""
        if began_s < self._cut_s:
            return
        self.calls = float(max(1, math.floor(min(self.calls, under_way) * CUT)))
        self._cut_s = self._moved_s = now_s

    def answered(self, under_way: int, now_s: float) -> None:
        """A call ended in another way; `under_way` counts it."""
        if now_s - self._cut_s >= FORGET_S:
            self.calls = math.inf
        elif under_way >= self.calls and now_s - self._moved_s >= RISE_S:
            self.calls += 1.0
            self._moved_s = now_s
