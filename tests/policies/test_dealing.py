"""Who is given which variant, and why, in the order of the specification."""

from itertools import pairwise

import pytest

from policies import (
    BadRoutingField,
    Condition,
    Experiment,
    Facts,
    Layer,
    ModelChoice,
    Policy,
    Reason,
    Rollout,
    Route,
    Variant,
)
from policies.bucketing import bucket
from policies.dealing import Dealer

UNITS = [f"u{number}" for number in range(4000)]
DAY_S = 86_400.0


def variants(*weights):
    names = ("control", "treatment", "third")
    return tuple(Variant(name, weight, ModelChoice("demo/fast")) for name, weight in zip(names, weights, strict=False))


def dealer(experiment=None, weights=(50, 50), **more):
    route = Route("r", variants(*weights))
    return Dealer(Policy("p", default=route, experiment=experiment, **more), route)


def deals(made, facts=None, units=UNITS):
    return [made.deal(unit, facts or Facts("router/p")) for unit in units]


def share(found, **wanted):
    return sum(all(getattr(deal, key) == value for key, value in wanted.items()) for deal in found) / len(found)


def names(found):
    return [deal.variant.id for deal in found]


def test_weights_deal():
    found = deals(dealer(weights=(90, 10)))
    assert {deal.reason for deal in found} == {Reason.WEIGHT}
    assert {(deal.variant.id, deal.propensity) for deal in found} == {("control", 0.9), ("treatment", 0.1)}
    assert found[0].bucket == bucket("p/r", "u0")


def test_one_variant_needs_no_chance():
    deal = dealer(weights=(100,)).deal("u", Facts("m"))
    assert (deal.reason, deal.bucket, deal.propensity) == (Reason.SINGLE, None, 1.0)


def test_the_kill_switch_beats_everything():
    found = deals(dealer(Experiment(enabled=False, control="treatment")), Facts("m", forced_variant="control"))
    assert {(deal.variant.id, deal.reason, deal.propensity) for deal in found} == {("treatment", Reason.DISABLED, 1.0)}


def test_a_tripped_guardrail_gives_everybody_the_control():
    found = deals(dealer(), Facts("m", tripped=frozenset({"p"})))
    assert {(deal.variant.id, deal.reason) for deal in found} == {("control", Reason.GUARDRAIL)}
    assert dealer().deal("u", Facts("m", tripped=frozenset({"other"}))).reason is Reason.WEIGHT


def test_a_forced_variant_is_no_matter_of_chance():
    deal = dealer(Experiment(holdout=100)).deal("u", Facts("m", forced_variant="treatment"))
    assert (deal.variant.id, deal.reason, deal.propensity) == ("treatment", Reason.FORCED, None)
    with pytest.raises(BadRoutingField, match="route 'r' has no variant 'x'; it has control, treatment") as refused:
        dealer().deal("u", Facts("m", forced_variant="x"))
    assert refused.value.param == "x-rr-variant"


def test_the_holdout_gets_the_control_whatever_the_salt():
    plain, held, salted = (
        deals(made)
        for made in (dealer(), dealer(Experiment(holdout=20)), dealer(Experiment(holdout=20), salt="another"))
    )
    out = [deal.reason is Reason.HOLDOUT for deal in held]
    assert abs(sum(out) / len(out) - 0.2) < 0.02
    assert all(deal.variant.id == "control" for deal, left in zip(held, out, strict=True) if left)
    assert all(a.variant == b.variant for a, b, left in zip(plain, held, out, strict=True) if not left)
    assert out == [deal.reason is Reason.HOLDOUT for deal in salted]


def test_layers_exclude_each_other():
    one, other = (deals(dealer(Experiment(layer=Layer("models", *slots)))) for slots in ((0, 40), (40, 100)))
    assert abs(share(one, reason=Reason.LAYER) - 0.6) < 0.03
    assert all((a.reason is Reason.LAYER) != (b.reason is Reason.LAYER) for a, b in zip(one, other, strict=True))


def test_outside_of_the_coverage_is_the_control():
    found = deals(dealer(Experiment(coverage=30)))
    assert abs(share(found, reason=Reason.COVERAGE) - 0.7) < 0.03
    assert {deal.variant.id for deal in found if deal.reason is Reason.COVERAGE} == {"control"}


@pytest.mark.parametrize("assign", ["rendezvous", "ranges", "growthbook-v2"])
def test_the_propensity_is_the_share_over_everybody(assign):
    experiment = Experiment(holdout=10, layer=Layer("models", 0, 50), coverage=80)
    found = deals(dealer(experiment, weights=(25, 75), assign=assign))
    admitted = 0.9 * 0.5 * 0.8
    expected = {"control": admitted * 0.25 + 1 - admitted, "treatment": admitted * 0.75}
    for name, propensity in expected.items():
        assert abs(names(found).count(name) / len(found) - propensity) < 0.025
        assert {round(deal.propensity, 9) for deal in found if deal.variant.id == name} == {round(propensity, 9)}


def test_a_rollout_only_moves_units_to_the_newcomer():
    start_s = 1_000_000.0
    rollout = Rollout("r", "treatment", start_s, ((0.0, 1), (DAY_S, 10), (3 * DAY_S, 50)))
    made = dealer(Experiment(rollout=rollout), weights=(60, 20, 20))
    columns = []
    for after_s, percent in ((-1.0, 0), (0.0, 1), (DAY_S - 1, 1), (DAY_S, 10), (2.9 * DAY_S, 10), (99 * DAY_S, 50)):
        found = deals(made, Facts("m", wall_s=start_s + after_s))
        columns.append(names(found))
        assert abs(columns[-1].count("treatment") / len(UNITS) - percent / 100) < 0.02
        assert all(deal.propensity == pytest.approx(percent / 100) for deal in found if deal.variant.id == "treatment")
    for before, after in pairwise(columns):
        assert all(new in (old, "treatment") for old, new in zip(before, after, strict=True))
    rest = [name for name in columns[-1] if name != "treatment"]
    assert abs(rest.count("control") / len(rest) - 0.75) < 0.03


def test_a_rollout_of_another_route_changes_nothing():
    route, other = Route("r", variants(50, 50)), Route("other", variants(50, 50))
    rollout = Rollout("other", "treatment", 0.0, ((0.0, 100),))
    made = Policy(
        "p",
        routes=(Route("other", other.variants, Condition("true")),),
        default=route,
        experiment=Experiment(rollout=rollout),
    )
    assert names(deals(Dealer(made, route))) == names(deals(dealer()))


def test_growthbook_hashes_with_the_bare_salt():
    found = dealer(weights=(20, 80), assign="growthbook-v2", salt="seed")
    assert (found.deal("a", Facts("m")).bucket, found.deal("a", Facts("m")).variant.id) == (505, "control")


def test_weights_are_the_shares_of_those_who_take_part():
    assert dealer(weights=(30, 70)).weights(0) == {"control": 0.3, "treatment": 0.7}
    assert dealer(Experiment(holdout=10), weights=(50, 50, 0)).weights(0) == {"control": 0.5, "treatment": 0.5}
    ramp = dealer(Experiment(rollout=Rollout("r", "treatment", 100.0, ((0, 10), (DAY_S, 40)))))
    assert ramp.weights(0.0) == {"control": 1.0}
    assert ramp.weights(100.0) == {"control": 0.9, "treatment": 0.1}
    assert ramp.weights(100.0 + DAY_S) == {"control": 0.6, "treatment": 0.4}
