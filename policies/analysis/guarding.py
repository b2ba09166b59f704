"""Guardrails: does a variant make a metric worse than control by more than is allowed, and is that sure by now?

A guardrail trips when its limit is passed by estimate *and* the always-valid interval leaves out "no increase"; asking
that the whole interval be beyond the limit would trip far too late. One observation is one unit, by its mean. A p95 is
tested as the share of answers slower than control's p95, fixed once control has been seen often enough.
"""

from collections import deque
from dataclasses import dataclass, field

from policies.experiment import Guardrail

from .sequential import Moments, compare

LEAST_UNITS = 50  # of each variant
MOST_UNITS = 20_000  # of each variant; later ones are not counted, which favours nobody
MEASURED_FIRST = 200  # answers of control from which its p95 is fixed
RECENT = 1000  # answers that a p95 is estimated from
P95 = 0.95


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that tripped, with its numbers."""

    metric: str
    variant: str
    control_value: float
    variant_value: float
    p_value: float


@dataclass(slots=True)
class Side:
    """One variant as a guardrail sees it."""

    moments: Moments = field(default_factory=Moments)
    units: dict[int, tuple[int, float]] = field(default_factory=dict)  # how often, and the sum
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, unit: int | None, value: float) -> None:
        """One value of a unit; None: of nobody who could come back."""
        if unit is None:
            self.moments.add(value)
            return
        known = self.units.get(unit)
        if known is not None:
            number, total = known
            self.moments.move(total / number, (total + value) / (number + 1))
            self.units[unit] = number + 1, total + value
        elif len(self.units) < MOST_UNITS:
            self.moments.add(value)
            self.units[unit] = 1, value

    def p95(self) -> float:
        """Of the recent answers."""
        ordered = sorted(self.recent)
        return ordered[min(len(ordered) - 1, int(P95 * len(ordered)))]


class Guard:
    """One guardrail of one route: fed with what requests came to, asked whether it has tripped."""

    __slots__ = ("_control", "_limit_s", "_quantile", "_rule", "_sides")

    def __init__(self, rule: Guardrail, control: str) -> None:
        self._rule = rule
        self._control = control
        self._quantile = rule.metric.endswith("_p95")
        self._limit_s: float | None = None
        self._sides: dict[str, Side] = {}

    @property
    def metric(self) -> str:
        """What it watches, without its quantile."""
        return self._rule.metric.removesuffix("_p95")

    def observe(self, variant: str, unit: int | None, value: float) -> Breach | None:
        """A request of this variant came to `value` (rates: 0 or 1; times: seconds). The breach, if that is one."""
        side = self._sides.setdefault(variant, Side())
        if self._quantile:
            side.recent.append(value)
            if self._limit_s is None:
                control = self._sides.get(self._control)
                if control is not None and len(control.recent) >= MEASURED_FIRST:
                    self._limit_s = control.p95()
                return None
            value = float(value > self._limit_s)
        side.add(unit, value)
        return self._breach(variant, side) if variant != self._control else None

    def _breach(self, variant: str, side: Side) -> Breach | None:
        control = self._sides.get(self._control)
        if control is None or min(control.moments.count, side.moments.count) < LEAST_UNITS:
            return None
        found = compare(control.moments, side.moments)
        if found is None or found.low <= 0:
            return None
        before, now = (control.p95(), side.p95()) if self._quantile else (control.moments.mean, side.moments.mean)
        rule = self._rule
        beyond = (rule.max_increase is not None and now - before > rule.max_increase) or (
            rule.max_ratio is not None and now > before * rule.max_ratio
        )
        return Breach(rule.metric, variant, before, now, found.p_value) if beyond else None
