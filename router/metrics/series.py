"""Series with cached children and a cap on their number.

A child is looked up by its label values in one dictionary: about 0.1 µs. When the cap is reached, new label values are
counted under `other` and `rr_series_dropped_total` says how often that happened.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .labels import OTHER
from .table import TABLE, Row

Values = tuple[str, ...]
_CLASSES: Mapping[str, type[Counter | Gauge | Histogram]] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


class Series:
    """The families of the table in one registry."""

    def __init__(self, registry: CollectorRegistry, *, max_series: int = 10_000, table: Sequence[Row] = TABLE) -> None:
        self._families = {row.name: (row, _family(row, registry)) for row in table}
        self._children: dict[str, dict[Values, Any]] = {row.name: {} for row in table}
        self._left = max_series
        self._dropped = self._families["rr_series_dropped_total"][1]

    def child(self, name: str, *values: str) -> Any:
        """The counter, gauge or histogram for these label values, or the one for `other`."""
        found = self._children[name].get(values)
        return found if found is not None else self._grown(name, values)

    def forget(self, name: str, *values: str) -> None:
        """Remove one series, e.g. of a configuration that is no longer in force."""
        if self._children[name].pop(values, None) is not None:
            row, family = self._families[name]
            family.remove(*values)
            self._left += _weight(row)

    def count(self) -> int:
        """Series in use, as Prometheus counts them."""
        return sum(_weight(self._families[name][0]) * len(children) for name, children in self._children.items())

    def _grown(self, name: str, values: Values) -> Any:
        row, family = self._families[name]
        weight = _weight(row)
        overflow = (OTHER,) * len(row.labels)
        if row.labels and weight > self._left and values != overflow:
            self._dropped.inc()
            return self.child(name, *overflow)
        self._left -= weight
        child = family.labels(*values) if row.labels else family
        self._children[name][values] = child
        return child


def _weight(row: Row) -> int:
    return len(row.buckets) + 3 if row.kind == "histogram" else 1


def _family(row: Row, registry: CollectorRegistry) -> Any:
    if row.kind == "histogram":
        return Histogram(row.name, row.about, row.labels, registry=registry, buckets=row.buckets)
    return _CLASSES[row.kind](row.name, row.about, row.labels, registry=registry)
