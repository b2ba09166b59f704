"""What this process has lately seen of each target, and what each pool may still retry.

The snapshot that goes into Facts is one mapping, shared until something changes: cool-downs change it at once, medians
only now and then, since a decision does not need them to the call.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from policies import Attempt, Breaker, Ceiling, CooldownRule, Outcome
from policies.facts import TargetHealth

from .upstreams.slots import Slots

WINDOW_CALLS = 64
WINDOW_S = 300.0
REFRESH_CALLS = 8  # medians are renewed after so many answers,
REFRESH_S = 0.1  # and no more often than that
MAX_TARGETS = 1024  # names may come from clients: beyond this the quiet ones are forgotten
MIN_RETRIES = 3  # a pool may always retry so many at once


@dataclass(slots=True)
class Vitals:
    """One target: its breaker and its last answers."""

    breaker: Breaker
    first_tokens: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW_CALLS))
    speeds: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW_CALLS))
    unseen: int = 0  # answers since the medians were renewed
    refreshed_s: float = -math.inf
    in_flight: int = 0  # calls that hold a slot, and those that wait for one
    slots: Slots = field(default_factory=Slots)
    ceiling: Ceiling | None = None  # once it has answered 429
    latency_s: float | None = None
    tokens_per_s: float | None = None

    def refresh(self, now_s: float) -> None:
        """Renew the medians over the window."""
        self.unseen = 0
        self.refreshed_s = now_s
        self.latency_s = _median(self.first_tokens, now_s)
        self.tokens_per_s = _median(self.speeds, now_s)

    def shown(self, now_s: float) -> TargetHealth:
        """As a decision sees it."""
        breaker = self.breaker
        return TargetHealth(
            latency_s=self.latency_s,
            tokens_per_s=self.tokens_per_s,
            rests_until_s=breaker.rests_until_s,
            probing=breaker.probing,
            half_open=breaker.half_open,
            share=breaker.share(now_s),
            full=self.slots.in_use >= self.slots.limit,
        )

    def weigh(self, attempt: Attempt) -> None:
        """What the end of a call says about how many the target takes at once."""
        under_way, now_s = self.slots.in_use, attempt.ended_s
        if attempt.outcome is Outcome.RATE_LIMITED:
            self.ceiling = self.ceiling or Ceiling()
            self.ceiling.refused(under_way, began_s=attempt.started_s, now_s=now_s)
        elif self.ceiling is not None:
            self.ceiling.answered(under_way, now_s)
        if self.ceiling is not None and self.ceiling.calls != self.slots.limit:
            self.slots.resize(self.ceiling.calls)
            if self.ceiling.calls == math.inf:
                self.ceiling = None


class Health:
    """The vitals of every target called so far."""

    def __init__(self, rule: CooldownRule | None = None) -> None:
        self._rule = rule or CooldownRule()
        self._vitals: dict[str, Vitals] = {}
        self._snapshot: Mapping[str, TargetHealth] = {}
        self._changed: set[str] = set()
        self._rising: set[str] = set()  # in slow start: their share changes with time

    def follow(self, rule: CooldownRule) -> None:
        """From now on rest targets by this rule; rests that began stay as they are."""
        if rule != self._rule:
            self._rule = rule
            for vitals in self._vitals.values():
                vitals.breaker.rule = rule

    def begin(self, name: str, now_s: float) -> bool:
        """A call goes out to the target of that name. False: it is full, the call must wait for its `turn` first."""
        vitals = self._vitals.get(name)
        if vitals is None:
            if len(self._vitals) >= MAX_TARGETS:
                self._forget_the_quiet(now_s)
            vitals = self._vitals[name] = Vitals(Breaker(self._rule))
        vitals.in_flight += 1
        breaker = vitals.breaker
        if breaker.half_open:
            breaker.begin(now_s)
            self._changed.add(name)
        if vitals.ceiling is not None:
            self._changed.add(name)
        return vitals.slots.try_enter()

    async def turn(self, name: str, wait_s: float) -> None:
        """Wait for a slot of a full target. Raises UpstreamFault(router_overloaded) when none comes in time."""
        await self._vitals[name].slots.enter(wait_s)

    def proved(self, name: str, now_s: float) -> None:
        """The target has begun to answer."""
        breaker = self._vitals[name].breaker
        if breaker.half_open:
            self._rising.add(name)
            self._changed.add(name)
        breaker.proved(now_s)

    def end(self, attempt: Attempt, *, jitter: float = 0.5, tokens: int | None = None, entered: bool = True) -> None:
        """The call ended. `tokens` is what it answered, where that is known; `entered`: it held a slot."""
        name, now_s = attempt.target.name, attempt.ended_s
        vitals = self._vitals[name]
        vitals.in_flight -= 1
        breaker, rule = vitals.breaker, attempt.rule
        own = attempt.credential_type == "byok" and rule.rest_s > 0
        if entered:
            if not own and (vitals.ceiling is not None or attempt.outcome is Outcome.RATE_LIMITED):
                vitals.weigh(attempt)
                self._changed.add(name)
            vitals.slots.leave()
        if own:
            return  # somebody's own key or quota: it says nothing about the target
        before = (breaker.rests_until_s, breaker.half_open)
        breaker.record_rule(rule, attempt.outcome, now_s, jitter=jitter, retry_after_s=attempt.retry_after_s)
        if before != (breaker.rests_until_s, breaker.half_open) or breaker.half_open:
            self._changed.add(name)
            if before[1] and not breaker.half_open:
                self._rising.add(name)
        if attempt.first_token_s is not None:
            self._measure(vitals, attempt, tokens)
            due = vitals.unseen >= REFRESH_CALLS and now_s - vitals.refreshed_s >= REFRESH_S
            if due or vitals.latency_s is None:
                vitals.refresh(now_s)
                self._changed.add(name)

    def snapshot(self, now_s: float) -> Mapping[str, TargetHealth]:
        """All targets by name; the same mapping until something changes. Never altered afterwards."""
        if self._rising:
            self._changed |= self._rising
            self._rising = {name for name in self._rising if self._vitals[name].breaker.share(now_s) < 1.0}
        if self._changed:
            renewed = {name: self._vitals[name].shown(now_s) for name in self._changed}
            self._snapshot = {**self._snapshot, **renewed}
            self._changed = set()
        return self._snapshot

    def in_flight(self) -> dict[str, int]:
        """Calls under way, by target name."""
        return {name: vitals.in_flight for name, vitals in self._vitals.items()}

    def ceilings(self) -> dict[str, int]:
        """How many calls the targets take at once that have answered 429 of late, by name."""
        return {name: int(vitals.ceiling.calls) for name, vitals in self._vitals.items() if vitals.ceiling is not None}

    def _forget_the_quiet(self, now_s: float) -> None:
        """Drop the older half of the targets that nothing is known against and nothing is under way to."""
        quiet = [
            name
            for name, vitals in self._vitals.items()
            if not vitals.in_flight and not vitals.breaker.half_open and vitals.breaker.rests_until_s <= now_s
        ]
        for name in quiet[: MAX_TARGETS // 2]:
            del self._vitals[name]
            self._changed.discard(name)
            self._rising.discard(name)
        self._snapshot = {name: seen for name, seen in self._snapshot.items() if name in self._vitals}

    @staticmethod
    def _measure(vitals: Vitals, attempt: Attempt, tokens: int | None) -> None:
        first_s = attempt.first_token_s or 0.0
        vitals.unseen += 1
        vitals.first_tokens.append((attempt.ended_s, first_s - attempt.started_s))
        spoken_s = attempt.ended_s - first_s
        if tokens and attempt.success and spoken_s > 0.001:
            vitals.speeds.append((attempt.ended_s, tokens / spoken_s))


class Budgets:
    """Retries each pool may have under way: at least three, else a share of what is in flight.

    A pool without requests in flight is forgotten, so that names given by clients cannot pile up.
    """

    def __init__(self) -> None:
        self._pools: dict[str, list[int]] = {}  # requests, retries in flight
        self._shares: dict[str, float] = {}  # of those that have asked

    def enter(self, pool: str) -> None:
        """A request begins."""
        counts = self._pools.get(pool)
        if counts is None:
            self._pools[pool] = [1, 0]
        else:
            counts[0] += 1

    def leave(self, pool: str, *, retries: int) -> None:
        """A request ended which had so many retries."""
        counts = self._pools[pool]
        counts[0] -= 1
        counts[1] -= retries
        if counts[0] <= 0:
            del self._pools[pool]
            self._shares.pop(pool, None)

    def retry(self, pool: str) -> None:
        """A request of the pool makes another attempt."""
        self._pools[pool][1] += 1

    def left(self, pool: str, share: float) -> int:
        """How many more retries the pool may have under way."""
        self._shares[pool] = share
        requests, retries = self._pools[pool]
        return max(MIN_RETRIES, int(share * requests)) - retries

    def remaining(self) -> Mapping[str, int]:
        """The same of every pool that has requests in flight and has had to retry one of them."""
        return {pool: self.left(pool, share) for pool, share in tuple(self._shares.items())}

    def __len__(self) -> int:
        return len(self._pools)


def _median(samples: deque[tuple[float, float]], now_s: float) -> float | None:
    recent = [value for at_s, value in samples if now_s - at_s <= WINDOW_S]
    return median(recent) if recent else None
