"""When to rest a failing target, when to probe it, and how it comes back. No clock, no chance: both are handed in.

States of one breaker, derived from three fields:

    closed     -- enough failures --> resting
    resting    -- time passes -----> half open (one probe call at a time)
    half open  -- probe answers ---> closed, in slow start
    half open  -- probe fails -----> resting, as long as before

A target that comes back and fails again rests longer each time; one that is simply still down is asked once a rest.

Rate limits, spent quotas and refused keys rest a target on their own and never open the breaker. That the last target
of a plan is tried all the same is the plan's business, not the breaker's.
"""

from dataclasses import dataclass, field

from .outcome import RULES, Outcome, Rule

RETRY_AFTER_CAP_S = 120.0
SLOW_START_FLOOR = 0.1
_SAYS_NOTHING = (Outcome.CANCELLED_BY_CLIENT, Outcome.HEDGE_LOST, Outcome.ROUTER_OVERLOADED)


@dataclass(frozen=True, slots=True)
class CooldownRule:
    """When a target rests and for how long: `base_s` x n up to `max_s`; n counts how often it came back and failed."""

    consecutive_failures: int = 5
    failure_share: float = 0.5  # of at least `min_calls` calls within `window_s`
    min_calls: int = 20
    window_s: float = 30.0
    base_s: float = 30.0
    max_s: float = 300.0
    jitter: float = 0.2  # a rest is shortened by up to this fraction, so that routers do not probe in step
    slow_start_s: float = 30.0


DEFAULT_COOLDOWN = CooldownRule()


@dataclass(slots=True)
class Breaker:
    """What is known against one target. All times are seconds on one monotonic clock."""

    rule: CooldownRule = DEFAULT_COOLDOWN
    rests_until_s: float = 0.0
    probing: bool = False  # the one probe call is out
    half_open: bool = False  # a rest after failures is over (or under way): the next call is a probe
    _in_row: int = 0
    _in_row_local: int = 0  # names, connections, TLS: counted apart
    _rests: int = 0
    _back_s: float | None = None  # when the last probe answered
    _half_s: float = 0.0  # when the running half of the window began
    _now: list[int] = field(default_factory=lambda: [0, 0])  # calls, failures in the running half
    _before: list[int] = field(default_factory=lambda: [0, 0])  # and in the half before

    def begin(self, now_s: float) -> None:
        """A call goes out."""
        if self.half_open and now_s >= self.rests_until_s:
            self.probing = True

    def proved(self, now_s: float) -> None:
        """The target has begun to answer: what a probe is for."""
        self._in_row = self._in_row_local = 0
        if self.half_open and now_s >= self.rests_until_s:
            self.half_open = self.probing = False
            self._back_s = now_s
        elif self._rests and not self.half_open and now_s - (self._back_s or 0.0) >= self.rule.slow_start_s:
            self._rests = 0

    def record(
        self, outcome: Outcome, now_s: float, *, jitter: float = 0.5, retry_after_s: float | None = None
    ) -> None:
        """A call ended. `jitter` in [0, 1); `retry_after_s` as the provider asked."""
        self.record_rule(RULES[outcome], outcome, now_s, jitter=jitter, retry_after_s=retry_after_s)

    def record_rule(
        self, rule: Rule, outcome: Outcome, now_s: float, *, jitter: float = 0.5, retry_after_s: float | None = None
    ) -> None:
        """The same for an outcome whose rule is known to be another (an error that came inside a 200)."""
        if outcome in _SAYS_NOTHING:
            self.probing = False
            return
        self._count(now_s, failed=rule.failure)
        if rule.failure:
            self._failed(now_s, jitter, local=rule.local)
            return
        if rule.rest_s > 0.0:
            asked_s = rule.rest_s if retry_after_s is None else min(retry_after_s, RETRY_AFTER_CAP_S)
            self.rests_until_s = max(self.rests_until_s, now_s + asked_s)
            self.probing = False
            return
        self.proved(now_s)

    def share(self, now_s: float) -> float:
        """The fraction of requests that may prefer this target: below 1 in the slow start after a rest."""
        if self._back_s is None:
            return 1.0
        risen = (now_s - self._back_s) / self.rule.slow_start_s
        if risen >= 1.0:
            return 1.0
        return SLOW_START_FLOOR + (1.0 - SLOW_START_FLOOR) * max(0.0, risen)

    def _failed(self, now_s: float, jitter: float, *, local: bool) -> None:
        if now_s < self.rests_until_s:
            return  # a call from before the rest: it says nothing new
        if local:
            self._in_row_local += 1
        else:
            self._in_row += 1
        calls, failures = self._now[0] + self._before[0], self._now[1] + self._before[1]
        many = calls >= self.rule.min_calls and failures >= self.rule.failure_share * calls
        row = max(self._in_row, self._in_row_local)
        if self.half_open or many or row >= self.rule.consecutive_failures:
            self._rest(now_s, jitter)

    def _rest(self, now_s: float, jitter: float) -> None:
        if not self.half_open:
            self._rests += 1
        length_s = min(self.rule.max_s, self.rule.base_s * self._rests) * (1.0 - self.rule.jitter * jitter)
        self.rests_until_s = now_s + length_s
        self.half_open, self.probing, self._back_s = True, False, None
        self._in_row = self._in_row_local = 0
        self._now, self._before = [0, 0], [0, 0]

    def _count(self, now_s: float, *, failed: bool) -> None:
        half_s = self.rule.window_s / 2
        passed_s = now_s - self._half_s
        if passed_s >= half_s:
            self._before = self._now if passed_s < self.rule.window_s else [0, 0]
            self._now, self._half_s = [0, 0], now_s
        self._now[0] += 1
        self._now[1] += failed
