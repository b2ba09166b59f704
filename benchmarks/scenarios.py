"""The failover acceptance list: sixteen faults, what a pass means, and the judge.

Idea and numbering follow the public failoverbench list (methodology v0.1); server, runner and judge are our own. The
judge sees both sides: what the caller was told, and the provider's own log.

pass: the complete answer (S13: a clean error) and every check met. partial: rescued, but an advisory check was missed.
safe: not rescued, but a clean error in time. fail: a hang, a cut answer shown as a success, or a required check missed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from router.upstreams.scripted import CANONICAL
from router.upstreams.scripted.journal import Seen


@dataclass(slots=True)
class Told:
    """What a caller was told."""

    seconds: float
    text: str = ""
    error: str | None = None  # an HTTP error, an error event or a broken connection: anything but silence
    finished: bool = False  # it looks like a success to a client
    hung: bool = False
    model: str | None = None
    usage: bool = False

    @property
    def whole(self) -> bool:
        """The sixty words, compared after normalising blanks."""
        return self.text.split() == CANONICAL.split()

    @property
    def clean(self) -> bool:
        """An error that cannot be taken for a success."""
        return self.error is not None and not self.hung


@dataclass(slots=True)
class Case:
    """One scenario's both sides. Attempts are the provider's log, oldest first."""

    told: Told
    primary: Sequence[Seen]
    fallback: Sequence[Seen]
    later: bool = True  # a healthy call works afterwards
    many: Sequence[Told] = field(default_factory=tuple)  # S15: every request
    recovered_at: float = 0.0  # S15: Unix time

    def within(self, seconds: float) -> int:
        """Calls to the primary in the first so many seconds."""
        return sum(seen.time - self.primary[0].time <= seconds for seen in self.primary) if self.primary else 0

    @property
    def gap_s(self) -> float:
        """Between the first two calls to the primary."""
        return self.primary[1].time - self.primary[0].time if len(self.primary) > 1 else 0.0


Check = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the list. `primary` and `fallback` are models of the scripted upstream."""

    id: str
    about: str
    primary: str
    required: Check
    advisory: Check = lambda _case: True
    fallback: str = "ok"
    limit_s: float = 100.0


def _always(_case: Case) -> bool:
    return True


SCENARIOS = (
    Scenario("S01", "429 with Retry-After: 2 once", "429-retry-after-2-once",
             lambda c: c.within(1.5) <= 2, lambda c: len(c.primary) >= 2 and c.gap_s >= 1.8),
    Scenario("S02", "429 always", "429", lambda c: c.within(3) <= 4 and len(c.primary) <= 6),
    Scenario("S03", "500 once", "500-once", _always, lambda c: len(c.primary) >= 2),
    Scenario("S04", "503 always", "503", lambda c: len(c.primary) <= 6),
    Scenario("S05", "reset before headers, once", "reset-once", _always),
    Scenario("S06", "accepts, then silence", "hang", _always, lambda c: len(c.primary) == 1),
    Scenario("S07", "headers at once, first token after 20 s", "slow-first-20", _always, lambda c: c.told.seconds < 15),
    Scenario("S08", "cut after 40 of 60 words", "cut-40", _always),
    Scenario("S09", "silence after 20 words", "stall-20", lambda c: c.later, limit_s=45),
    Scenario("S10", "one event is no JSON", "malformed-20", lambda c: c.later),
    Scenario("S11", "complete, but no [DONE]", "no-done-close", _always, lambda c: c.told.usage, limit_s=8),
    Scenario("S12", "context length", "context", lambda c: len(c.primary) == 1),
    Scenario("S13", "content filter", "content-filter", lambda c: len(c.primary) == 1),
    Scenario("S14", "cut after 40, fallback takes no prefill", "cut-40", _always, fallback="prefill-reject"),
    Scenario("S15", "an outage of 60 s, then healthy", "outage-60", _always),
    Scenario("S16", "503 always: who answered?", "503",
             lambda c: len(c.primary) <= 6 and "s16f" in (c.told.model or ""), lambda c: c.told.usage),
)  # fmt: skip


def verdict(scenario: Scenario, case: Case) -> str:
    """pass, partial, safe or fail."""
    told = case.told
    if scenario.id == "S15":
        return _outage(case)
    if told.hung or told.seconds > scenario.limit_s:
        return "fail"
    if scenario.id == "S13":
        if told.clean and scenario.required(case) and not case.fallback:
            return "pass"
        return "partial" if told.whole else "safe" if told.clean else "fail"
    if not told.whole:
        return "safe" if told.clean else "fail"
    if told.error is not None or not told.finished or not scenario.required(case):
        return "fail"
    return "pass" if scenario.advisory(case) else "partial"


def _outage(case: Case) -> str:
    """Nobody hangs, everybody is answered, and the primary is used again within 30 s of its recovery."""
    if any(told.hung for told in case.many):
        return "fail"
    if not all(told.whole for told in case.many):
        return "safe" if all(told.whole or told.clean for told in case.many) else "fail"
    again = [seen.time for seen in case.primary if seen.status == 200]
    return "pass" if again and again[0] - case.recovered_at <= 30 else "partial"
