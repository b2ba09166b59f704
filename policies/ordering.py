"""The order of a pool: by price, latency, throughput, intelligence, math or coding, best first.

The first criterion ranks, later ones break ties, and the order given breaks the last tie. A target about which a
criterion knows nothing ranks last in it. Price is a blend of three parts input and one part output.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from .facts import TargetHealth
from .target import Target


class SortMetric(StrEnum):
    """What a pool can be sorted by. Price and latency are better when low, the others when high."""

    PRICE = "price"
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    INTELLIGENCE = "intelligence"
    MATH = "math"
    CODING = "coding"


DIRECTIONS = ("", "ascending", "descending")
MEASURED = frozenset({SortMetric.LATENCY, SortMetric.THROUGHPUT})
AUTO_SORT = ("latency", "price")  # when nothing is asked for
PROVIDER_SORT = ("latency",)


def criterion(text: str) -> tuple[SortMetric, bool] | None:
    """`price`, `price:descending` as (metric, descending), or None if it is none."""
    name, _, direction = text.partition(":")
    if name not in SortMetric.__members__.values() or direction not in DIRECTIONS:
        return None
    metric = SortMetric(name)
    best_is_low = metric in (SortMetric.PRICE, SortMetric.LATENCY)
    return metric, direction == "descending" if direction else not best_is_low


def blended_usd(target: Target) -> float | None:
    """US dollars per token, input and output blended 3:1."""
    return None if target.prices is None else (3 * target.prices.input_usd + target.prices.output_usd) / 4


def measure(metric: SortMetric, target: Target, health: TargetHealth | None) -> float | None:
    """What is known about a target in one respect."""
    if metric is SortMetric.PRICE:
        return blended_usd(target)
    if metric is SortMetric.LATENCY:
        return health.latency_s if health else None
    if metric is SortMetric.THROUGHPUT:
        return health.tokens_per_s if health else None
    return target.scores.get(metric.value)


class Ranking:
    """A pool with its criteria, ranked as far as that is possible before anything is measured."""

    __slots__ = ("_criteria", "_positions", "_static", "targets")

    def __init__(self, targets: Sequence[Target], sort: Iterable[str]) -> None:
        self._criteria = tuple(found for found in map(criterion, sort) if found is not None)
        keys = {target.name: self._key(target, None) for target in targets}
        self.targets = tuple(sorted(targets, key=lambda target: keys[target.name]))
        self._static = tuple(keys[target.name] for target in self.targets)
        self._positions = {target.name: position for position, target in enumerate(self.targets)}

    @property
    def measured(self) -> bool:
        """Whether the order depends on what is measured."""
        return len(self.targets) > 1 and any(metric in MEASURED for metric, _ in self._criteria)

    def order(self, health: Mapping[str, TargetHealth]) -> tuple[Target, ...]:
        """The targets, best first; ties stay in the order given."""
        if not self.measured:
            return self.targets
        keys = list(self._static)
        for name in health.keys() & self._positions.keys():
            position = self._positions[name]
            keys[position] = self._key(self.targets[position], health[name])
        return tuple(self.targets[position] for position in sorted(range(len(keys)), key=keys.__getitem__))

    def _key(self, target: Target, seen: TargetHealth | None) -> list[float]:
        ranks = []
        for metric, descending in self._criteria:
            value = measure(metric, target, seen)
            ranks.append(math.inf if value is None else -value if descending else value)
        return ranks


def ordered(targets: Sequence[Target], sort: Iterable[str], health: Mapping[str, TargetHealth]) -> tuple[Target, ...]:
    """The targets, best first. Unknown criteria are left out; whoever takes them in refuses them."""
    return Ranking(targets, sort).order(health)
