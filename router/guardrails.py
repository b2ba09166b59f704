"""Guardrails at work: an observer that gives everybody the control when a variant does harm.

What trips stays tripped until the router itself changes (another checksum), so that it cannot flap; each process
watches its own traffic and forgets with it. Only units whose variant was drawn count.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies import Decision, Facts, Outcome, Policy, Reason, unit_of
from policies.analysis.guarding import Breach, Guard

from .cost import cost_usd, tokens_of
from .observers import Silent
from .record import Record

log = logging.getLogger("router.guardrails")


@dataclass(frozen=True, slots=True)
class Watched:
    """A router under watch: its version, and the guards of each route that draws."""

    version: str
    guards: Mapping[str, tuple[Guard, ...]]


class Guardrails(Silent):
    """`publish` is told the names of all routers that have tripped, whenever that changes."""

    def __init__(self, publish: Callable[[frozenset[str]], None]) -> None:
        self._publish = publish
        self._watched: dict[str, Watched] = {}
        self._units: dict[int, tuple[Decision, int | None]] = {}
        self.tripped: dict[str, Breach] = {}

    def configured(self, policies: Mapping[str, Policy]) -> None:
        """These routers are in force. One that has not changed keeps what was seen of it, and stays tripped."""
        before, self._watched = self._watched, {}
        for name, policy in policies.items():
            known = before.get(name)
            if known is not None and known.version == policy.checksum:
                self._watched[name] = known
            elif policy.experiment is not None and policy.experiment.guardrails:
                rules = policy.experiment.guardrails
                self._watched[name] = Watched(
                    policy.checksum,
                    {
                        route.id: tuple(Guard(rule, policy.control(route).id) for rule in rules)
                        for route in policy.every_route
                        if len(route.variants) > 1
                    },
                )
        kept = {name: one for name, one in self.tripped.items() if before.get(name) is self._watched.get(name)}
        if kept != self.tripped:
            self.tripped = kept
            self._publish(frozenset(kept))

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Remember who was drawn until the request is over."""
        if decision.reason is not Reason.WEIGHT or decision.router not in self._watched:
            return
        if decision.unit == "user":
            unit: int | None = hash(("user", facts.user))
        else:
            unit = None if decision.unit is None else hash(unit_of((decision.unit,), facts.user, facts.metadata))
        self._units[id(decision)] = decision, unit

    def on_finish(self, record: Record) -> None:
        """Tell the guards what it came to."""
        decision = record.decision
        known = self._units.pop(id(decision), None)
        watched = self._watched.get(decision.router or "")
        if known is None or watched is None or watched.version != decision.experiment or decision.router is None:
            return
        if decision.router in self.tripped or not record.attempts:
            return
        values = measured(record)
        for guard in watched.guards.get(decision.route_id or "", ()):
            value = values.get(guard.metric)
            breach = None if value is None else guard.observe(str(decision.variant_id), known[1], value)
            if breach is not None:
                self._trip(decision.router, breach)
                return

    def _trip(self, router: str, breach: Breach) -> None:
        self.tripped = {**self.tripped, router: breach}
        log.warning(
            "guardrail tripped: everybody gets the control until the router changes",
            extra={
                "fields": {
                    "router": router,
                    "variant": breach.variant,
                    "metric": breach.metric,
                    "control": round(breach.control_value, 6),
                    "value": round(breach.variant_value, 6),
                    "p": breach.p_value,
                }
            },
        )
        self._publish(frozenset(self.tripped))


def measured(record: Record) -> dict[str, float]:
    """What guardrails look at, by metric; what a request says nothing about is left out. Times in seconds."""
    served, attempts = record.served, record.attempts
    if served is None:
        return {} if record.outcome is Outcome.CANCELLED_BY_CLIENT else {"error_rate": 1.0}
    found = {"error_rate": 0.0, "fallback_rate": float(len(attempts) > 1)}
    if served.first_token_s is not None:
        found["ttft"] = served.first_token_s - record.started_s
    if record.ended_s is not None:
        found["duration"] = record.ended_s - record.started_s
    cost = cost_usd(served.target.prices, tokens_of(record.usage))
    return found if cost is None else found | {"cost_usd": cost}
