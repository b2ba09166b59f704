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


def known(metric: SortMetric, target: Target) -> float | None:
    """What the catalogue knows about a target in one respect; of latency and throughput it knows nothing."""
    return blended_usd(target) if metric is SortMetric.PRICE else target.scores.get(metric.value)


class Ranking:
    """A pool with its criteria, ranked as far as that is possible before anything is measured.

    Only the best `limit` may answer.
    """

    __slots__ = ("_criteria", "_limit", "_names", "_positions", "_static", "fluid", "measured", "targets")

    def __init__(self, targets: Sequence[Target], sort: Iterable[str], limit: int | None = None) -> None:
        self._limit = limit
        self._criteria = tuple(found for found in map(criterion, sort) if found is not None)
        keys = {target.name: self._key(target) for target in targets}
        self.targets = tuple(sorted(targets, key=lambda target: keys[target.name]))
        self._names = tuple(target.name for target in self.targets)
        self._static = [keys[name] for name in self._names]
        self._positions = {name: position for position, name in enumerate(self._names)}
        several = len(self.targets) > 1
        self.measured = several and any(metric in MEASURED for metric, _ in self._criteria)
        self.fluid = several and bool(self._criteria) and self._criteria[0][0] in MEASURED  # nothing stands above it

    def order(self, health: Mapping[str, TargetHealth]) -> tuple[str, ...]:
        """The names of the targets, best first; ties stay in the order given."""
        seen = health.keys() & self._positions.keys() if self.measured else ()
        if not seen:
            return self._names[: self._limit]
        keys = self._static.copy()
        for name in seen:
            position = self._positions[name]
            keys[position] = self._measured_key(keys[position], health[name])
        best = sorted(range(len(keys)), key=keys.__getitem__)[: self._limit]
        return tuple([self._names[position] for position in best])

    def _key(self, target: Target) -> list[float]:
        ranks = []
        for metric, descending in self._criteria:
            value = known(metric, target)
            ranks.append(math.inf if value is None else -value if descending else value)
        return ranks

    def _measured_key(self, static: list[float], seen: TargetHealth) -> list[float]:
        """The key with what has been measured in its places."""
        ranks = static.copy()
        for place, (metric, descending) in enumerate(self._criteria):
            if metric in MEASURED:
                value = seen.latency_s if metric is SortMetric.LATENCY else seen.tokens_per_s
                ranks[place] = math.inf if value is None else -value if descending else value
        return ranks


def ordered(targets: Sequence[Target], sort: Iterable[str], health: Mapping[str, TargetHealth]) -> tuple[str, ...]:
    """The names of the targets, best first. Unknown criteria are left out; whoever takes them in refuses them."""
    return Ranking(targets, sort).order(health)
