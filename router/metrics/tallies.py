"""Cells that belong together, found once and kept: a request then counts without looking up label values again.

A cell is only made when there is something to count, so that no series shows what never happened. While the cap on
series is near nothing is kept: then every observation has to ask, and is counted as dropped where it must be.
"""

from collections.abc import Callable
from typing import TypeVar

from policies import Outcome

from .labels import NONE
from .series import Cell, Series, Spread

MOST_KEPT = 1024  # names may come from clients: then all are forgotten
K = TypeVar("K")
V = TypeVar("V")


def ended(outcome: Outcome) -> tuple[str, str]:
    """The labels `outcome` and `error_class`."""
    if outcome is Outcome.SUCCESS:
        return "success", NONE
    return ("cancelled" if outcome is Outcome.CANCELLED_BY_CLIENT else "error"), outcome.value


class Asked:
    """What requests with the same route, variant, reason and protocol count into."""

    __slots__ = (
        "_duration",
        "_requests",
        "_series",
        "assignments",
        "decisions",
        "inflight",
        "protocol",
        "route",
        "where",
    )

    def __init__(self, series: Series, where: tuple[str, str, str], reason: str) -> None:
        self._series = series
        self.where = where
        self.protocol, self.route, _ = where
        self.decisions: Cell = series.child("rr_decisions_total", *where, reason)
        self.inflight: Cell = series.child("rr_inflight", self.route)
        self._requests: dict[Outcome, Cell] = {}
        self._duration: Spread | None = None
        self.assignments: Cell | None = None

    def requests(self, outcome: Outcome) -> Cell:
        """Requests that ended so."""
        found = self._requests.get(outcome)
        if found is None:
            found = self._series.child("rr_requests_total", *self.where, *ended(outcome))
            if self._series.roomy:
                self._requests[outcome] = found
        return found

    def duration(self) -> Spread:
        """Their durations."""
        found = self._duration
        if found is None:
            found = self._series.child("rr_request_duration_seconds", self.route)
            self._duration = found if self._series.roomy else None
        return found

    def assigned(self) -> Cell:
        """Exposures."""
        found = self.assignments
        if found is None:
            found = self._series.child("rr_experiment_assignments_total", self.route, self.where[2])
            self.assignments = found if self._series.roomy else None
        return found


class Called:
    """What attempts at one target under one protocol count into; `tokens` are cells of input, output and cost."""

    __slots__ = ("_attempts", "_first", "_series", "_tokens", "duration", "protocol", "target")

    def __init__(self, series: Series, protocol: str, target: str) -> None:
        self._series = series
        self.protocol, self.target = protocol, target
        self.duration: Spread = series.child("rr_attempt_duration_seconds", target)
        self._attempts: dict[Outcome, Cell] = {}
        self._first: Spread | None = None
        self._tokens: tuple[Cell, Cell] | None = None

    def attempts(self, outcome: Outcome) -> Cell:
        """Attempts that ended so."""
        found = self._attempts.get(outcome)
        if found is None:
            found = self._series.child("rr_attempts_total", self.protocol, self.target, *ended(outcome))
            if self._series.roomy:
                self._attempts[outcome] = found
        return found

    def first(self) -> Spread:
        """Times to the first token."""
        found = self._first
        if found is None:
            found = self._series.child("rr_time_to_first_token_seconds", self.target)
            self._first = found if self._series.roomy else None
        return found

    def tokens(self) -> tuple[Cell, Cell]:
        """Tokens in and out."""
        found = self._tokens
        if found is None:
            child = self._series.child
            found = child("rr_tokens_total", "input", self.target), child("rr_tokens_total", "output", self.target)
            self._tokens = found if self._series.roomy else None
        return found


class Kept(dict[K, V]):
    """A dictionary that makes what it lacks, keeps it while there is room for series, and forgets all when full."""

    def __init__(self, series: Series, make: Callable[[K], V]) -> None:
        super().__init__()
        self._series = series
        self._make = make

    def __missing__(self, key: K) -> V:
        made = self._make(key)
        if self._series.roomy:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[key] = made
        return made
