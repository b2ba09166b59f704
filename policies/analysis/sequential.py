"""Always-valid comparison of two variants: the answer holds at every look, however often one looks.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
theory and asymptotic confidence sequences", Annals of Statistics 2024 (arXiv:2103.06476 v7, equations 9, 155, 161): a
Gaussian mixture, tightest near `TUNING_UNITS`. One observation is one unit of randomisation, never one request.
"""

import math
from dataclasses import dataclass

ALPHA = 0.05
TUNING_UNITS = 5000.0
LEAST_UNITS = 200  # of each variant, below which a report says that it is too early


@dataclass(slots=True)
class Moments:
    """Count, sum and sum of squares: enough for mean and variance, and they add up."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """One more observation."""
        self.count += 1
        self.total += value
        self.squares += value * value

    def move(self, before: float, after: float) -> None:
        """An observation has changed."""
        self.total += after - before
        self.squares += after * after - before * before

    def joined(self, other: "Moments") -> "Moments":
        """Both together."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """Their mean; 0 without any."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Their sample variance; 0 for fewer than two."""
        if self.count < 2:
            return 0.0
        return max(0.0, (self.squares - self.total * self.total / self.count) / (self.count - 1))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment minus control, with an interval and a p-value that hold at every look."""

    difference: float
    half_width: float
    p_value: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.difference - self.half_width

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.difference + self.half_width


def tuning(alpha: float = ALPHA, units: float = TUNING_UNITS) -> float:
    """The parameter that makes the interval tightest at so many units (equation 161)."""
    return math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / units)


def half_width(count: int, deviation: float, *, alpha: float = ALPHA, units: float = TUNING_UNITS) -> float:
    """Half the interval after `count` observations with this standard deviation each (equation 9)."""
    grown = count * tuning(alpha, units) ** 2 + 1
    return deviation * math.sqrt(2 * grown / (count * (grown - 1)) * math.log(math.sqrt(grown) / alpha))


def always_valid_p(count: int, deviation: float, difference: float, *, units: float = TUNING_UNITS) -> float:
    """The same mixture, inverted (equation 155), tuned for `ALPHA`."""
    rho = tuning(ALPHA, units)
    grown = count * rho**2 + 1
    exponent = (count * rho * difference) ** 2 / (2 * deviation**2 * grown)
    return min(1.0, math.exp(min(0.0, math.log(grown) / 2 - exponent)))


def compare(
    control: Moments, treatment: Moments, *, alpha: float = ALPHA, units: float = TUNING_UNITS
) -> Comparison | None:
    """The difference of two means. None while a variant has fewer than two units, or nothing varies at all.

    The deviation is that of one observation of both together; a variant that has not varied yet (no error so far) is
    taken to vary as both do.
    """
    if min(control.count, treatment.count) < 2:
        return None
    both = control.joined(treatment)
    spread = sum((one.variance or both.variance) / one.count for one in (control, treatment))
    if spread <= 0.0:
        return None
    deviation = math.sqrt(both.count * spread)
    difference = treatment.mean - control.mean
    wide = half_width(both.count, deviation, alpha=alpha, units=units)
    return Comparison(difference, wide, always_valid_p(both.count, deviation, difference, units=units))
