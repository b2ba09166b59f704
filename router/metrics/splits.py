"""Splits as they were configured and as units met them: shares, distinct units, mismatch, outcomes and times.

Only units whose variant was drawn count: forced, held-out and uncovered ones say nothing about a split. A unit counts
once, when first seen, and at most `MOST_UNITS` of them per split are remembered (8 bytes each and the set around
them); later ones are not counted, which favours no variant. A new version of the router begins anew. The times are of
requests, not of units: the figures of a board, not of a report.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from policies import Decision, Facts, Reason, unit_of
from policies.analysis import chi_square_pvalue, log_evidence_step

from .series import Cell, Series, Spread
from .tallies import Kept

MOST_UNITS = 200_000
MOST_EVIDENCE = 700.0  # of its logarithm: beyond it a float ends
Shares = Mapping[tuple[str, str], Mapping[str, float]]
Weights = Callable[[float], Shares]  # Unix time -> of each (router, route) the share of each variant


def no_splits(_wall_s: float) -> Shares:
    """Nothing is split."""
    return {}


@dataclass(slots=True)
class Seen:
    """What one version of a split has seen."""

    version: str | None
    units: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    log_evidence: float = 0.0

    def count(self, unit: int, variant: str, shares: Mapping[str, float]) -> None:
        """A unit drew this variant under these shares."""
        if unit in self.units or len(self.units) >= MOST_UNITS:
            return
        self.units.add(unit)
        self.log_evidence += log_evidence_step(self.counts, shares, variant)
        self.counts[variant] = self.counts.get(variant, 0) + 1
        for name, share in shares.items():
            self.expected[name] = self.expected.get(name, 0.0) + share


class Splits:
    """Counts for the metrics; shown at the scrape."""

    def __init__(self, series: Series, wall: Callable[[], float] = time.time) -> None:
        self._series = series
        self._wall = wall
        self._weights: Weights = no_splits
        self._shares: Shares = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._shown: set[tuple[str, tuple[str, ...]]] = set()
        self._timed: Kept[tuple[str, str, str], tuple[Cell, Spread, Cell]] = Kept(series, self._first_timed)

    def configured(self, weights: Weights) -> None:
        """Other weights came into force."""
        self._weights = weights
        self._refresh()
        self._seen = {key: seen for key, seen in self._seen.items() if key in self._shares}

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """A unit met a variant."""
        key = _key(decision)
        shares, variant = self._shares.get(key, {}) if key is not None else {}, decision.variant_id
        if key is None or variant is None or variant not in shares:
            return
        seen = self._seen.get(key)
        if seen is None or seen.version != decision.experiment:
            seen = self._seen[key] = Seen(decision.experiment)
        if decision.unit == "user":
            unit: Any = "user", facts.user
        else:
            unit = None if decision.unit is None else unit_of((decision.unit,), facts.user, facts.metadata)
        seen.count(hash(facts.seed if unit is None else unit), variant, shares)

    def on_end(self, decision: Decision, outcome: str, duration_s: float) -> None:
        """A request ended: success, error or cancelled."""
        key = _key(decision)
        if key is None or decision.variant_id not in self._shares.get(key, ()):
            return
        if outcome == "success":
            answered, durations, squares = self._timed[*key, str(decision.variant_id)]
            answered.value += 1.0
            durations.observe(duration_s)
            squares.value += duration_s * duration_s
        else:
            names = "/".join(key), str(decision.variant_id)
            self._series.child("rr_experiment_outcomes_total", *names, outcome).inc()

    def _first_timed(self, named: tuple[str, str, str]) -> tuple[Cell, Spread, Cell]:
        names, child = (f"{named[0]}/{named[1]}", named[2]), self._series.child
        return (
            child("rr_experiment_outcomes_total", *names, "success"),
            child("rr_experiment_duration_seconds", *names),
            child("rr_experiment_duration_squares_total", *names),
        )

    def show(self) -> None:
        """Write shares, units and mismatch to their series; those of splits that are gone disappear."""
        self._refresh()
        values: dict[tuple[str, tuple[str, ...]], float] = {}
        for key, shares in self._shares.items():
            name, seen = "/".join(key), self._seen.get(key)
            for variant, share in shares.items():
                values["rr_experiment_weight", (name, variant)] = share
                values["rr_experiment_units", (name, variant)] = seen.counts.get(variant, 0) if seen else 0
            if seen is not None:
                values["rr_experiment_srm_evidence", (name,)] = math.exp(min(seen.log_evidence, MOST_EVIDENCE))
                pvalue = chi_square_pvalue(seen.counts, seen.expected)
                if pvalue is not None:
                    values["rr_experiment_srm_pvalue", (name,)] = pvalue
        for metric, labels in self._shown - values.keys():
            self._series.forget(metric, *labels)
        for (metric, labels), value in values.items():
            self._series.child(metric, *labels).set(value)
        self._shown = set(values)

    def _refresh(self) -> None:
        self._shares = self._weights(self._wall())


def _key(decision: Decision) -> tuple[str, str] | None:
    if decision.reason is not Reason.WEIGHT or decision.router is None or decision.route_id is None:
        return None
    return decision.router, decision.route_id
