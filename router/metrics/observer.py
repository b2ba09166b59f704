"""The observer that counts. Three separate questions, three counters: what the client got, what each call did, why.

The registry is handed in. Nothing a client sends ever becomes a label: names pass through `LabelSets` first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from policies import Attempt, Decision, Facts, Outcome
from router.cost import Tokens, cost_usd, tokens_of
from router.observers import Silent, TurnedAway
from router.record import Record

from .labels import NONE, OTHER, TURNED_AWAY, LabelSets, protocol_of
from .series import Series
from .splits import Splits, Weights, no_splits
from .table import STAGES

CIRCUIT_CLOSED, CIRCUIT_PROBED, CIRCUIT_RESTING = 0, 1, 2
_CANCELLED = Outcome.CANCELLED_BY_CLIENT


@dataclass(slots=True)
class Begun:
    """Requests under way with one decision (equal requests may share it), labelled as when they began."""

    decision: Decision
    route: str
    protocol: str
    requests: int = 1


class DetectorLoad(Protocol):
    """Running totals of the speech detector."""

    frames: int
    rounds: int
    busy_s: float


def _no_detector() -> DetectorLoad | None:
    return None


class Metrics(Silent):
    """Counts decisions, attempts, exposures and requests; others tell it of sessions, reloads and lag."""

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        max_series: int = 10_000,
        process: bool = False,
    ) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self.series = Series(self.registry, max_series=max_series)
        self.labels = LabelSets()
        self.circuits: Callable[[], Mapping[str, int]] = dict
        self.detector: Callable[[], DetectorLoad | None] = _no_detector
        self.splits = Splits(self.series)
        self._hash: str | None = None
        self._inflight: dict[int, Begun] = {}
        self._circuits_shown: set[str] = set()
        if process:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def configured(self, labels: LabelSets, configuration_hash: str, weights: Weights = no_splits) -> None:
        """A configuration came into force; `weights` tells the configured shares of routes that draw."""
        self.labels = labels
        self.splits.configured(weights)
        if self._hash is not None:
            self.series.forget("rr_config_info", self._hash)
        self._hash = configuration_hash
        self.series.child("rr_config_info", configuration_hash).set(1)

    def reloaded(self, *, success: bool) -> None:
        """A reload was tried."""
        self.series.child("rr_config_reload_total", "success" if success else "failure").inc()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Exposition and its content type for a scrape with this Accept header."""
        self._show_circuits()
        self._show_detector()
        self.splits.show()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Count the decision and the request under way."""
        labels, child = self.labels, self.series.child
        route = labels.route(decision)
        child("rr_decisions_total", facts.protocol, route, labels.variant(decision), decision.reason.value).inc()
        child("rr_inflight", route).inc()
        begun = self._inflight.get(id(decision))
        if begun is None:
            self._inflight[id(decision)] = Begun(decision, route, facts.protocol)
        else:
            begun.requests += 1

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """Count the exposure."""
        self.splits.on_exposure(decision, facts)
        if decision.router is not None:
            labels = self.labels
            self.series.child("rr_experiment_assignments_total", labels.route(decision), labels.variant(decision)).inc()

    def on_attempt(self, attempt: Attempt, decision: Decision) -> None:
        """Count the call and its times."""
        child = self.series.child
        target = self.labels.target(attempt.target.name)
        begun = self._inflight.get(id(decision))
        protocol = protocol_of(attempt) if begun is None else begun.protocol
        outcome = attempt.outcome
        child("rr_attempts_total", protocol, target, *_ended(outcome)).inc()
        child("rr_attempt_duration_seconds", target).observe(max(0.0, attempt.ended_s - attempt.started_s))
        if attempt.first_token_s is not None:
            first_s = max(0.0, attempt.first_token_s - attempt.started_s)
            child("rr_time_to_first_token_seconds", target).observe(first_s)
        if outcome is Outcome.EMPTY_RESPONSE:
            child("rr_empty_responses_total", target).inc()
        if attempt.stage is not None:
            child("rr_voice_attempts_total", attempt.stage, target, _ended(outcome)[0]).inc()

    def on_finish(self, record: Record) -> None:
        """Count the request, its fallbacks, tokens and cost."""
        labels, child, decision = self.labels, self.series.child, record.decision
        begun = self._inflight.get(id(decision))
        route = labels.route(decision) if begun is None else begun.route
        protocol = "chat" if begun is None else begun.protocol
        if begun is not None:
            child("rr_inflight", route).dec()
            begun.requests -= 1
            if begun.requests == 0:
                del self._inflight[id(decision)]
        outcome = record.outcome or Outcome.OTHER
        child("rr_requests_total", protocol, route, labels.variant(decision), *_ended(outcome)).inc()
        if record.ended_s is not None:
            duration_s = max(0.0, record.ended_s - record.started_s)
            exemplar = {"trace_id": record.trace_id} if record.trace_id is not None else None
            child("rr_request_duration_seconds", route).observe(duration_s, exemplar)
            self.splits.on_end(decision, _ended(outcome)[0], duration_s)
            called_s = sum(attempt.ended_s - attempt.started_s for attempt in record.attempts)
            child("rr_overhead_seconds").observe(max(0.0, duration_s - called_s))
        for one, other in pairwise(record.attempts):
            names = labels.target(one.target.name), labels.target(other.target.name)
            child("rr_fallbacks_total", *names, one.outcome.value).inc()
        for warning in record.warnings:
            if warning.code == "malformed_events" and record.attempts:
                target = labels.target(record.attempts[-1].target.name)
                child("rr_malformed_events_total", target).inc(warning.count)
        self._count_tokens(record)

    def on_turned_away(self, refused: TurnedAway) -> None:
        """Count a request that met no decision: without a route, its class by the status it got."""
        self.series.child(
            "rr_requests_total", "chat", NONE, NONE, "error", TURNED_AWAY.get(refused.status, OTHER)
        ).inc()

    def voice_stage(self, stage: str, duration_s: float, *, route: str | None = None) -> None:
        """A latency of a voice turn; `first_audio` also counts for its route ("router/route id")."""
        self.series.child("rr_voice_stage_seconds", stage if stage in STAGES else OTHER).observe(duration_s)
        if stage == "first_audio":
            name = route if route is None or route in self.labels.routes else OTHER
            self.series.child("rr_time_to_first_audio_seconds", name or NONE).observe(duration_s)

    def _count_tokens(self, record: Record) -> None:
        if not record.attempts or (record.usage is None and not record.attempts[-1].success):
            return
        attempt, child = record.attempts[-1], self.series.child
        target = self.labels.target(attempt.target.name)
        tokens = tokens_of(record.usage)
        if tokens is None:
            if record.kind in {"chat", "completions", "embeddings"}:
                child("rr_no_usage_total", target).inc()
            return
        child("rr_tokens_total", "input", target).inc(tokens.input)
        child("rr_tokens_total", "output", target).inc(tokens.output)
        child("rr_tokens_per_request", "input").observe(tokens.input)
        child("rr_tokens_per_request", "output").observe(tokens.output)
        cost = cost_usd(attempt.target.prices, tokens)
        if cost:
            child("rr_cost_usd_total", target).inc(cost)
        self._count_pace(record, tokens, target)

    def _count_pace(self, record: Record, tokens: Tokens, target: str) -> None:
        attempt = record.attempts[-1]
        if record.streamed and attempt.success and attempt.first_token_s is not None and tokens.output > 1:
            pace_s = (attempt.ended_s - attempt.first_token_s) / (tokens.output - 1)
            self.series.child("rr_time_per_output_token_seconds", target).observe(max(0.0, pace_s))

    def _show_circuits(self) -> None:
        states: dict[str, int] = {}
        for name, state in self.circuits().items():
            target = self.labels.target(name)
            states[target] = max(state, states.get(target, CIRCUIT_CLOSED))
        for target in self._circuits_shown - states.keys():
            self.series.forget("rr_circuit_state", target)
        for target, state in states.items():
            self.series.child("rr_circuit_state", target).set(state)
        self._circuits_shown = set(states)

    def _show_detector(self) -> None:
        load, child = self.detector(), self.series.child
        if load is not None:
            child("rr_vad_frames_total").set(load.frames)
            child("rr_vad_rounds_total").set(load.rounds)
            child("rr_vad_busy_seconds_total").set(load.busy_s)


def _ended(outcome: Outcome) -> tuple[str, str]:
    if outcome is Outcome.SUCCESS:
        return "success", NONE
    return ("cancelled" if outcome is _CANCELLED else "error"), outcome.value
