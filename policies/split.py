"""A split: which variant a unit meets, and with what probability."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .bucketing import BUCKETS, GROWTHBOOK_BUCKETS, boundaries, bucket, growthbook_bucket, rendezvous

Assign = Literal["rendezvous", "ranges", "growthbook-v2"]
WHOLE = Fraction(100)


@dataclass(frozen=True, slots=True)
class Draw:
    """Where a unit fell. `variant` is None outside of the coverage."""

    variant: str | None
    bucket: int


@dataclass(frozen=True, slots=True)
class Split:
    """Weights that sum to 100 under one salt; `coverage` is the percentage of units let in at all.

    `rendezvous`: when weights change, a unit only leaves a variant that shrank or joins one that grew; where one
    gains from (or loses to) all others in proportion, no fewer units could move. `ranges` are cumulative and sorted by
    id. `growthbook-v2` keeps the assignment of an experiment run with that SDK: cumulative in the order given. With
    ranges the coverage is taken inside each variant's range, so raising it moves no unit between variants.
    """

    salt: str
    weights: tuple[tuple[str, Fraction], ...]
    assign: Assign = "rendezvous"
    coverage: Fraction = WHOLE
    _shares: tuple[tuple[str, float], ...] = field(init=False, repr=False, compare=False)
    _ranges: tuple[tuple[int, int, str], ...] = field(init=False, repr=False, compare=False)  # end, covered end, id
    _let_in: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = self.weights if self.assign == "growthbook-v2" else tuple(sorted(self.weights))
        buckets = GROWTHBOOK_BUCKETS if self.assign == "growthbook-v2" else BUCKETS
        ends = boundaries((weight for _, weight in ordered), buckets)
        ranges = tuple(
            (end, start + math.ceil((end - start) * self.coverage / WHOLE), name)
            for (name, _), start, end in zip(ordered, (0, *ends), ends, strict=False)
        )
        object.__setattr__(self, "_shares", tuple((name, float(weight)) for name, weight in ordered))
        object.__setattr__(self, "_ranges", ranges)
        object.__setattr__(self, "_let_in", math.ceil(self.coverage * BUCKETS / WHOLE))

    def draw(self, unit: str) -> Draw:
        """The unit's variant: a pure function."""
        if self.assign == "rendezvous":
            place = bucket(self.salt, unit)
            return Draw(rendezvous(self.salt, unit, self._shares) if place < self._let_in else None, place)
        growthbook = self.assign == "growthbook-v2"
        place = growthbook_bucket(self.salt, unit) if growthbook else bucket(self.salt, unit)
        covered_end, name = next((covered, name) for end, covered, name in self._ranges if place < end)
        return Draw(name if place < covered_end else None, place)

    def propensity(self, variant: str) -> Fraction:
        """The probability that a unit inside of the coverage meets this variant."""
        return dict(self.weights)[variant] / WHOLE
