import pytest

from policies import Candidate, Facts, Feature, Needs, Target, TargetHealth
from policies.fitness import COOLING, PROBED, Narrowest, Ranked, fit, lacking, uneasy

SMALL = Target("p", "small", context_tokens=100, max_output_tokens=50, lacks=frozenset({Feature.TOOLS, Feature.VISION}))
LARGE = Target("p", "large", context_tokens=1000)
OPEN = Target("p", "open")
ALL = tuple(Candidate(target) for target in (SMALL, LARGE, OPEN))


def fitted(facts, lineup=ALL):
    names = tuple(candidate.target.name for candidate in lineup)
    narrowest = Narrowest.of(candidate.target for candidate in lineup)
    return fit(Ranked(names, lineup, narrowest, uneasy(names, facts.health)), facts)


def skipped(facts, lineup=ALL):
    candidates, warnings = fitted(facts, lineup)
    assert [candidate.target for candidate in candidates] == [candidate.target for candidate in lineup]
    return [candidate.skipped for candidate in candidates], warnings


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (Needs(), None),
        (Needs(frozenset({Feature.REASONING})), None),
        (Needs(frozenset({Feature.VISION, Feature.TOOLS})), "lacks tools, vision"),
        (Needs(prompt_tokens=100), None),
        (Needs(prompt_tokens=101), "context of 100 tokens is too small"),
        (Needs(prompt_tokens=60, max_output_tokens=50), "context of 100 tokens is too small"),
        (Needs(max_output_tokens=51), "answers at most 50 tokens"),
    ],
)
def test_what_a_target_lacks_is_said(needs, reason):
    assert lacking(SMALL, needs) == reason
    assert lacking(OPEN, needs) is None


def test_who_cannot_do_it_is_left_out():
    facts = Facts("m", needs=Needs(frozenset({Feature.TOOLS}), prompt_tokens=2000))
    assert skipped(facts) == (["lacks tools", "context of 1000 tokens is too small", None], ())


def test_a_need_that_nobody_meets_leaves_nobody_out():
    found, warnings = skipped(Facts("m", needs=Needs(prompt_tokens=5000)), ALL[:2])
    assert found == [None, None]
    assert "p/small: context of 100 tokens is too small; p/large: context of 1000" in warnings[0]


def test_who_rests_is_left_out():
    health = {
        "p/small": TargetHealth(rests_until_s=20.0),
        "p/large": TargetHealth(rests_until_s=5.0, probing=True),
        "p/open": TargetHealth(rests_until_s=5.0),
    }
    assert skipped(Facts("m", health=health, now_s=10.0)) == ([COOLING, PROBED, None], ())


def test_the_last_one_never_rests():
    health = {
        f"p/{name}": TargetHealth(rests_until_s=until) for name, until in (("small", 30), ("large", 20), ("open", 25))
    }
    assert skipped(Facts("m", health=health, now_s=10.0))[0] == [COOLING, None, COOLING]
    needs = Needs(prompt_tokens=2000)
    assert skipped(Facts("m", health=health, now_s=10.0, needs=needs))[0][2] is None


def test_reasons_given_before_stay():
    lineup = (Candidate(SMALL, "ignored"), Candidate(LARGE))
    health = {"p/small": TargetHealth(rests_until_s=99.0), "q/other": TargetHealth(rests_until_s=99.0)}
    facts = Facts("m", health=health, needs=Needs(prompt_tokens=500))
    assert skipped(facts, lineup)[0] == ["ignored", None]


def test_the_last_one_is_spared_when_all_rest():
    health = {f"p/{name}": TargetHealth(rests_until_s=99.0) for name in ("small", "large", "open")}
    candidates, _ = fitted(Facts("m", health=health, now_s=10.0))
    assert [candidate.once for candidate in candidates] == [True, False, False]


def test_who_is_just_back_is_preferred_by_its_share_of_requests():
    health = {"p/small": TargetHealth(share=0.3)}
    first = [fitted(Facts("m", health=health, seed=f"s{n}"))[0][0].target.model for n in range(1000)]
    assert 250 < first.count("small") < 350
    assert set(first) == {"small", "large"}


def test_who_is_just_back_and_alone_is_tried():
    facts = Facts("m", health={"p/small": TargetHealth(share=0.1)}, seed="s")
    assert fitted(facts, ALL[:1])[0] == ALL[:1]


def test_who_is_full_stands_last_and_is_still_tried():
    facts = Facts("m", health={"p/small": TargetHealth(full=True)}, seed="s")
    candidates, _ = fitted(facts, ALL[:2])
    assert [(one.target.model, one.skipped) for one in candidates] == [("large", None), ("small", None)]
    assert fitted(facts, ALL[:1])[0] == ALL[:1]


def test_a_probe_is_asked_once():
    facts = Facts("m", health={"p/large": TargetHealth(rests_until_s=5.0, half_open=True)}, now_s=10.0)
    candidates, _ = fitted(facts)
    assert [candidate.once for candidate in candidates] == [False, True, False]
