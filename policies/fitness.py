"""Fitness: who of a lineup is left out because it cannot do what is needed, or is resting.

What is known about a model may be wrong, so a need that nobody meets leaves nobody out: the provider itself will say.
Cool-down never leaves out the last target: if all rest, the one that is back soonest is tried, once. A target that is
just back from its rest is preferred by a growing share of requests only; for the others it stands last, and so does one
that has as many calls under way as it takes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .bucketing import BUCKETS, bucket
from .facts import Facts, Needs, TargetHealth
from .plan import Candidate
from .target import REALTIME, Feature, Target

COOLING = "cooling down"
PROBED = "cooling down, probe under way"
SPEAKS, WRITES = "speaks for itself", "does not speak for itself"
NO_WARNINGS: tuple[str, ...] = ()

Candidates = tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Narrowest:
    """What every target of a lineup is known to meet: a request within it needs no look at each of them."""

    lacks: frozenset[Feature] = frozenset()
    context_tokens: float = math.inf
    max_output_tokens: float = math.inf

    @classmethod
    def of(cls, targets: Iterable[Target]) -> "Narrowest":
        """The narrowest of each."""
        lacks, context, output = frozenset[Feature](), math.inf, math.inf
        for target in targets:
            lacks |= target.lacks
            context = context if target.context_tokens is None else min(context, target.context_tokens)
            output = output if target.max_output_tokens is None else min(output, target.max_output_tokens)
        return cls(lacks, context, output)

    def meets(self, needs: Needs) -> bool:
        """Whether all of them surely can."""
        output = needs.max_output_tokens or 0
        return (
            output <= self.max_output_tokens
            and (needs.prompt_tokens or 0) + output <= self.context_tokens
            and needs.features.isdisjoint(self.lacks)
        )


@dataclass(frozen=True, slots=True)
class Ranked:
    """A lineup in the order of one snapshot of health: each target once, best first."""

    names: tuple[str, ...]
    candidates: Candidates
    narrowest: Narrowest
    uneasy: tuple[
        str, ...
    ] = ()  # whose health is more than a measurement: they rest, are probed, are just back or full
    fluid: Mapping[str, int] = field(default_factory=dict)  # whose place is by measurement, and the first such place

    def holding(self, name: str | None) -> "Ranked":
        """With this target before the others that measurements alone rank; no other place is touched."""
        first = None if name is None else self.fluid.get(name)
        if name is None or first is None or self.names[first] == name:
            return self
        at = self.names.index(name)
        return replace(
            self,
            names=(*self.names[:first], name, *self.names[first:at], *self.names[at + 1 :]),
            candidates=(
                *self.candidates[:first], self.candidates[at], *self.candidates[first:at], *self.candidates[at + 1 :]
            ),
        )  # fmt: skip


def uneasy(names: Sequence[str], health: Mapping[str, TargetHealth]) -> tuple[str, ...]:
    """Who of them a decision has to look at."""
    if not health:
        return ()
    seen = [(name, health[name]) for name in names if name in health]
    return tuple(
        [
            name
            for name, one in seen
            if one.rests_until_s > 0.0 or one.probing or one.half_open or one.share < 1.0 or one.full
        ]
    )


def fit(ranked: Ranked, facts: Facts) -> tuple[Candidates, tuple[str, ...]]:
    """The candidates with reasons for those who are left out, and warnings."""
    lineup, warnings = ranked.candidates, NO_WARNINGS
    if facts.protocol == REALTIME:
        lineup = _voiced(lineup, facts.kind)
    if not ranked.narrowest.meets(facts.needs):
        lineup, warnings = _able(lineup, facts.needs)
    return (_rested(ranked, lineup, facts), warnings) if ranked.uneasy else (lineup, warnings)


def _voiced(lineup: Candidates, kind: str) -> Candidates:
    """A voice session is either handed to a target that speaks for itself, or has its replies written by others."""
    if kind not in ("chat", REALTIME):
        return lineup
    why = WRITES if kind == REALTIME else SPEAKS
    return tuple(
        replace(one, skipped=why) if one.skipped is None and one.target.speaks != (kind == REALTIME) else one
        for one in lineup
    )


def _rested(ranked: Ranked, lineup: Candidates, facts: Facts) -> Candidates:
    now_s = facts.now_s
    resting: dict[str, str] = {}
    probes: set[str] = set()
    rising: set[str] = set()
    for name in ranked.uneasy:
        seen = facts.health[name]
        if seen.rests_until_s > now_s or seen.probing:
            resting[name] = PROBED if seen.rests_until_s <= now_s else COOLING
            continue
        if seen.half_open:
            probes.add(name)
        if seen.share < 1.0 or seen.full:
            rising.add(name)
    if resting:
        lineup = _awake(ranked.names, lineup, resting, facts)
    if probes:
        lineup = tuple(replace(one, once=True) if one.target.name in probes else one for one in lineup)
    return _eased(lineup, rising, facts) if rising else lineup


def lacking(target: Target, needs: Needs) -> str | None:
    """What the target is known to lack, or None."""
    missing = needs.features & target.lacks
    if missing:
        return f"lacks {', '.join(sorted(missing))}"
    prompt, output = needs.prompt_tokens or 0, needs.max_output_tokens or 0
    if target.context_tokens is not None and prompt + output > target.context_tokens:
        return f"context of {target.context_tokens} tokens is too small"
    if target.max_output_tokens is not None and output > target.max_output_tokens:
        return f"answers at most {target.max_output_tokens} tokens"
    return None


def _able(lineup: Candidates, needs: Needs) -> tuple[Candidates, tuple[str, ...]]:
    judged = tuple(
        candidate if reason is None else replace(candidate, skipped=reason)
        for candidate in lineup
        for reason in [candidate.skipped or lacking(candidate.target, needs)]
    )
    if any(candidate.skipped is None for candidate in judged):
        return judged, ()
    reasons = [f"{candidate.target.name}: {candidate.skipped}" for candidate in judged[:3]]
    return lineup, (f"no target is known to meet the needs of the request ({'; '.join(reasons)})",)


def _awake(names: Sequence[str], lineup: Candidates, resting: dict[str, str], facts: Facts) -> Candidates:
    usable = [name for name, candidate in zip(names, lineup, strict=True) if candidate.skipped is None]
    asleep = [name for name in usable if name in resting]
    if not asleep:
        return lineup
    spared = min(asleep, key=lambda name: facts.health[name].rests_until_s) if asleep == usable else None
    judged: list[Candidate] = []
    for name, candidate in zip(names, lineup, strict=True):
        if candidate.skipped is not None or name not in resting:
            judged.append(candidate)
        elif name == spared:
            judged.append(replace(candidate, once=True))
        else:
            judged.append(replace(candidate, skipped=resting[name]))
    return tuple(judged)


def _eased(lineup: Candidates, rising: set[str], facts: Facts) -> Candidates:
    """Behind the others: who is full, and in slow start for all but its share of requests, chosen by their own seed."""

    def waits(candidate: Candidate) -> bool:
        name = candidate.target.name
        if name not in rising:
            return False
        seen = facts.health[name]
        return seen.full or bucket(name, facts.seed) >= seen.share * BUCKETS

    return tuple(sorted(lineup, key=waits))
