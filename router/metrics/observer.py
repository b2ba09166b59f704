"""The observer that counts. Three separate questions, three counters: what the client got, what each call did, why.

The registry is handed in. Nothing a client sends ever becomes a label: names pass through `LabelSets` first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from policies import Attempt, Decision, Facts, Outcome, Reason
from router.cost import cost_usd, lost_usd, tokens_of
from router.health import MIN_RETRIES
from router.observers import Silent, TurnedAway
from router.record import Record

from .labels import DIRECT, NONE, OTHER, TURNED_AWAY, LabelSets, protocol_of
from .series import Series, Spread
from .splits import Splits, Weights, no_splits
from .table import STAGES
from .tallies import Asked, Called, Kept, ended

HOLLOW = (Outcome.EMPTY_RESPONSE, Outcome.MALFORMED_RESPONSE)
Named = tuple[str | None, str | None, str | None, str, str]  # router, route, variant, reason, protocol


@dataclass(slots=True)
class Begun:
    """Requests under way with one decision (equal requests may share it), labelled as when they began."""

    decision: Decision
    asked: Asked
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
        self.ceilings: Callable[[], Mapping[str, int]] = dict
        self.retries_left: Callable[[], Mapping[str, int]] = dict
        self.detector: Callable[[], DetectorLoad | None] = _no_detector
        self.lines_lost: Callable[[], int] = int
        self.splits = Splits(self.series)
        self._asked: Kept[Named, Asked] = Kept(self.series, self._first_asked)
        self._called: Kept[tuple[str, str], Called] = Kept(self.series, self._first_called)
        self._overhead: Spread = self.series.child("rr_overhead_seconds")
        self._sizes: tuple[Spread, Spread] | None = None
        for result in ("success", "failure"):  # from 0 on, so that the first failure is an increase
            self.series.child("rr_config_reload_total", result)
        self._hash: str | None = None
        self._inflight: dict[int, Begun] = {}
        self._shown: dict[str, set[str]] = {}
        if process:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)

    def configured(self, labels: LabelSets, configuration_hash: str, weights: Weights = no_splits) -> None:
        """A configuration came into force; `weights` tells the configured shares of routes that draw."""
        self.labels = labels
        self._asked.clear()
        self._called.clear()
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
        self._show_targets("rr_circuit_state", self.circuits(), max)
        self._show_targets("rr_target_ceiling", self.ceilings(), sum)
        self._show("rr_retry_budget_remaining", self._retries())
        self._show_detector()
        self.series.child("rr_log_lines_dropped_total").set(self.lines_lost())
        self.splits.show()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Count the decision and the request under way."""
        asked = self._asked[_named(decision, facts.protocol)]
        asked.decisions.value += 1.0
        asked.inflight.value += 1.0
        begun = self._inflight.get(id(decision))
        if begun is None:
            self._inflight[id(decision)] = Begun(decision, asked)
        else:
            begun.requests += 1

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """Count the exposure."""
        self.splits.on_exposure(decision, facts)
        if decision.router is not None and decision.reason is not Reason.FORCED:
            begun = self._inflight.get(id(decision))
            asked = self._asked[_named(decision, facts.protocol)] if begun is None else begun.asked
            asked.assigned().value += 1.0

    def on_attempt(self, attempt: Attempt, decision: Decision) -> None:
        """Count the call and its times."""
        begun = self._inflight.get(id(decision))
        called = self._called[protocol_of(attempt) if begun is None else begun.asked.protocol, attempt.target.name]
        outcome = attempt.outcome
        called.attempts(outcome).value += 1.0
        called.duration.observe(attempt.ended_s - attempt.started_s)
        if attempt.first_token_s is not None:
            called.first().observe(attempt.first_token_s - attempt.started_s)
        if outcome in HOLLOW and (attempt.status_code or 200) < 300:
            self.series.child("rr_empty_responses_total", called.target, outcome.value).inc()
        if attempt.stage is not None:
            self.series.child("rr_voice_attempts_total", attempt.stage, called.target, ended(outcome)[0]).inc()

    def on_finish(self, record: Record) -> None:
        """Count the request, its fallbacks, tokens and cost."""
        decision, attempts = record.decision, record.attempts
        begun = self._inflight.get(id(decision))
        if begun is None:
            asked = self._asked[_named(decision, "chat")]
        else:
            asked = begun.asked
            asked.inflight.value -= 1.0
            begun.requests -= 1
            if begun.requests == 0:
                del self._inflight[id(decision)]
        outcome = record.outcome or Outcome.OTHER
        asked.requests(outcome).value += 1.0
        if record.ended_s is not None:
            duration_s = record.ended_s - record.started_s
            exemplar = {"trace_id": record.trace_id} if record.trace_id is not None else None
            asked.duration().observe(duration_s, exemplar)
            self.splits.on_end(decision, ended(outcome)[0], duration_s)
            called_s = 0.0
            for attempt in attempts:
                called_s += attempt.ended_s - attempt.started_s
            self._overhead.observe(duration_s - called_s)
        if len(attempts) > 1:
            self._count_fallbacks(attempts)
        for warning in record.warnings:
            if warning.code == "malformed_events" and attempts:
                target = self.labels.target(attempts[-1].target.name)
                self.series.child("rr_malformed_events_total", target).inc(warning.count)
        if attempts and (record.usage is not None or attempts[-1].success):
            self._count_tokens(record, attempts[-1], self._called[asked.protocol, attempts[-1].target.name])

    def on_turned_away(self, refused: TurnedAway) -> None:
        """Count a request that met no decision: without a route, its class by the status it got."""
        self.series.child("rr_requests_total", "chat", NONE, NONE, "error", TURNED_AWAY.get(refused.status, OTHER)).inc(
            refused.count
        )

    def voice_stage(self, stage: str, duration_s: float) -> None:
        """A latency of a voice turn."""
        self.series.child("rr_voice_stage_seconds", stage if stage in STAGES else OTHER).observe(duration_s)

    def first_audio(self, duration_s: float, decision: Decision | None) -> None:
        """A spoken reply began to sound; `decision` routed its words, None when they were never routed."""
        labels = self.labels
        route, variant = NONE, NONE
        if decision is not None:
            route, variant = labels.route(decision.router, decision.route_id), labels.variant(decision.variant_id)
        self.series.child("rr_time_to_first_audio_seconds", route, variant).observe(duration_s)

    def _first_asked(self, named: Named) -> Asked:
        router, route, variant, reason, protocol = named
        labels = self.labels
        where = (protocol, labels.route(router, route), labels.variant(variant))
        return Asked(self.series, where, reason)

    def _first_called(self, named: tuple[str, str]) -> Called:
        return Called(self.series, named[0], self.labels.target(named[1]))

    def _count_fallbacks(self, attempts: Sequence[Attempt]) -> None:
        target = self.labels.target
        for one, other in pairwise(attempts):
            names = target(one.target.name), target(other.target.name)
            self.series.child("rr_fallbacks_total", *names, one.outcome.value).inc()

    def _count_tokens(self, record: Record, attempt: Attempt, called: Called) -> None:
        tokens, child = tokens_of(record.usage), self.series.child
        if tokens is None:
            if record.kind in {"chat", "completions", "embeddings"}:
                child("rr_no_usage_total", called.target).inc()
            return
        given, produced = called.tokens()
        given.value += tokens.input
        produced.value += tokens.output
        if self._sizes is None:
            self._sizes = child("rr_tokens_per_request", "input"), child("rr_tokens_per_request", "output")
        self._sizes[0].observe(tokens.input)
        self._sizes[1].observe(tokens.output)
        for other in record.attempts[:-1]:
            if spent := lost_usd((other,), tokens):
                child("rr_cost_usd_total", self.labels.target(other.target.name)).inc(spent)
        cost = cost_usd(attempt.target.prices, tokens)
        if cost:
            child("rr_cost_usd_total", called.target).inc(cost)
        if record.streamed and attempt.success and attempt.first_token_s is not None and tokens.output > 1:
            pace_s = (attempt.ended_s - attempt.first_token_s) / (tokens.output - 1)
            child("rr_time_per_output_token_seconds", called.target).observe(max(0.0, pace_s))

    def _show_targets(self, gauge: str, seen: Mapping[str, int], joined: Callable[[list[int]], int]) -> None:
        """One value a target; those that share a label are joined."""
        values: dict[str, list[int]] = {}
        for name, value in seen.items():
            values.setdefault(self.labels.target(name), []).append(value)
        self._show(gauge, {target: joined(several) for target, several in values.items()})

    def _retries(self) -> Mapping[str, int]:
        """One value a router, the least of what is called directly; full where nothing is being retried."""
        routers = {route.partition("/")[0] for route in self.labels.routes}
        values = dict.fromkeys((*routers, DIRECT), MIN_RETRIES)
        for pool, left in self.retries_left().items():
            if pool in routers:
                values[pool] = left
            else:
                values[DIRECT] = min(left, values[DIRECT])
        return values

    def _show(self, gauge: str, values: Mapping[str, int]) -> None:
        for gone in self._shown.get(gauge, set()) - values.keys():
            self.series.forget(gauge, gone)
        for name, value in values.items():
            self.series.child(gauge, name).set(value)
        self._shown[gauge] = set(values)

    def _show_detector(self) -> None:
        load, child = self.detector(), self.series.child
        if load is not None:
            child("rr_vad_frames_total").set(load.frames)
            child("rr_vad_rounds_total").set(load.rounds)
            child("rr_vad_busy_seconds_total").set(load.busy_s)


def _named(decision: Decision, protocol: str) -> Named:
    return decision.router, decision.route_id, decision.variant_id, decision.reason, protocol
