"""Fitness: who of a lineup is left out because it cannot do what is needed, or is resting.

What is known about a model may be wrong, so a need that nobody meets leaves nobody out: the provider itself will say.
Cool-down never leaves out the last target: if all rest, the one that is back soonest is tried, once. A target that is
just back from its rest is preferred by a growing share of requests only; for the others it stands last.
"""

from collections.abc import Sequence
from dataclasses import replace

from .bucketing import BUCKETS, bucket
from .facts import Facts, Needs
from .plan import Candidate
from .target import Target

COOLING = "cooling down"
PROBED = "cooling down, probe under way"
NO_NEEDS = Needs()

Candidates = tuple[Candidate, ...]


def fit(names: Sequence[str], lineup: Candidates, facts: Facts) -> tuple[Candidates, tuple[str, ...]]:
    """The candidates with reasons for those who are left out, and warnings. `names` are those of the lineup."""
    warnings: tuple[str, ...] = ()
    needs, now_s = facts.needs, facts.now_s
    if needs != NO_NEEDS:
        for candidate in lineup:
            if lacking(candidate.target, needs):
                lineup, warnings = _able(lineup, needs)
                break
    resting: dict[str, str] = {}
    probes: set[str] = set()
    rising: set[str] = set()
    for name in names:
        seen = facts.health.get(name)
        if seen is None:
            continue
        if seen.rests_until_s > now_s or seen.probing:
            resting[name] = PROBED if seen.rests_until_s <= now_s else COOLING
            continue
        if seen.half_open:
            probes.add(name)
        if seen.share < 1.0:
            rising.add(name)
    if resting:
        lineup = _awake(names, lineup, resting, facts)
    if probes:
        lineup = tuple(replace(one, once=True) if one.target.name in probes else one for one in lineup)
    return _eased(lineup, rising, facts) if rising else lineup, warnings


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
    """Slow start: behind the others for all but its share of requests; the request's own seed says for which."""

    def waits(candidate: Candidate) -> bool:
        name = candidate.target.name
        return name in rising and bucket(name, facts.seed) >= facts.health[name].share * BUCKETS

    return tuple(sorted(lineup, key=waits))
