"""A guardrail trips on harm, soon, and hardly ever where there is none."""

import random

import pytest

from policies import Guardrail
from policies.analysis import guarding
from policies.analysis.guarding import Guard


def fed(guard, control, treatment, *, pairs, unit=None):
    """Values of both sides in turn; the number of pairs until it tripped, and the breach."""
    for number in range(pairs):
        guard.observe("control", unit and unit(number), control(number))
        breach = guard.observe("treatment", unit and unit(number), treatment(number))
        if breach is not None:
            return number + 1, breach
    return pairs, None


def errors(share, seed):
    chance = random.Random(seed)
    return lambda _number: float(chance.random() < share)


def test_a_broken_variant_is_stopped_after_the_least_number_of_units():
    guard = Guard(Guardrail("error_rate", max_increase=0.01), "control")
    seen, breach = fed(guard, lambda _n: 0.0, lambda _n: 1.0, pairs=500)
    assert seen == guarding.LEAST_UNITS
    assert (breach.metric, breach.variant, breach.control_value, breach.variant_value) == (
        "error_rate",
        "treatment",
        0.0,
        1.0,
    )


def test_harm_that_is_planted_is_found():
    for seed in range(10):
        guard = Guard(Guardrail("error_rate", max_increase=0.01), "control")
        seen, breach = fed(guard, errors(0.02, seed), errors(0.12, seed + 100), pairs=3000)
        assert breach is not None
        assert seen < 2500


def test_where_nothing_is_wrong_it_hardly_ever_trips():
    tripped = 0
    for seed in range(40):
        guard = Guard(Guardrail("error_rate", max_increase=0.0), "control")
        tripped += fed(guard, errors(0.1, seed), errors(0.1, seed + 1000), pairs=1500)[1] is not None
    assert tripped <= 2


def test_an_increase_that_is_allowed_does_not_trip():
    guard = Guard(Guardrail("error_rate", max_increase=0.5), "control")
    assert fed(guard, errors(0.1, 1), errors(0.3, 2), pairs=3000)[1] is None


def test_one_unit_that_fails_a_thousand_times_is_one_observation():
    guard = Guard(Guardrail("error_rate", max_ratio=1.1), "control")
    assert fed(guard, lambda _n: 0.0, lambda _n: 1.0, pairs=1000, unit=lambda _n: 7)[1] is None
    assert fed(guard, lambda _n: 0.0, lambda _n: 1.0, pairs=1000, unit=lambda n: n)[1] is not None


def test_a_units_value_is_its_mean_and_only_so_many_units_are_kept(monkeypatch):
    monkeypatch.setattr(guarding, "MOST_UNITS", 2)
    side = guarding.Side()
    for unit, value in ((1, 0.0), (1, 1.0), (2, 1.0), (3, 9.0)):
        side.add(unit, value)
    assert (side.moments.count, side.moments.mean) == (2, 0.75)


@pytest.mark.parametrize(("slower", "trips"), [(1.0, False), (2.0, True)])
def test_a_p95_is_compared_by_ratio_once_control_is_known(slower, trips):
    chance = random.Random(3)
    guard = Guard(Guardrail("ttft_p95", max_ratio=1.2), "control")
    assert guard.metric == "ttft"
    assert guard.observe("treatment", None, 1.0) is None, "control is not known at all"
    found = fed(guard, lambda _n: chance.gauss(1, 0.1), lambda _n: slower * chance.gauss(1, 0.1), pairs=1500)
    assert (found[1] is not None) is trips
    if trips:
        assert found[1].variant_value > 1.2 * found[1].control_value
