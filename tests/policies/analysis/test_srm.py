"""Sample ratio mismatch: known quantiles, a real skew, and no alarm without one however often it is looked at."""

import math
import random

import pytest

from policies.analysis import chi_square_pvalue, log_evidence_step
from policies.analysis.srm import survival


@pytest.mark.parametrize(
    ("statistic", "freedom", "probability"),
    [
        (3.841458820694124, 1, 0.05),
        (10.827566170662733, 1, 0.001),
        (5.991464547107979, 2, 0.05),
        (7.814727903251179, 3, 0.05),
        (9.487729036781154, 4, 0.05),
        (29.587, 9, 0.000_514),
        (18.307038053275146, 10, 0.05),
        (124.34211340400407, 99, 0.0435),
    ],
)
def test_survival_meets_the_tables(statistic, freedom, probability):
    assert survival(statistic, freedom) == pytest.approx(probability, rel=2e-2 if freedom in (9, 99) else 1e-9)


def test_survival_stays_a_probability_at_both_ends():
    assert survival(0, 3) == 1.0
    assert survival(1e-12, 5) == 1.0
    assert 0 <= survival(5000.0, 2) < 1e-300


def test_shares_as_configured_are_no_mismatch_and_a_skew_is():
    even = {"a": 5000.0, "b": 5000.0}
    assert chi_square_pvalue({"a": 5030, "b": 4970}, even) == pytest.approx(math.erfc(math.sqrt(0.36 / 2)))
    assert chi_square_pvalue({"a": 5300, "b": 4700}, even) < 1e-8
    assert chi_square_pvalue({"a": 10_000}, even) < 1e-300


def test_too_few_units_or_variants_say_nothing():
    assert chi_square_pvalue({"a": 9, "b": 1}, {"a": 5.0, "b": 5.0}) is None
    assert chi_square_pvalue({"a": 900}, {"a": 900.0}) is None


def evidence(units, shares, probability, seed):
    """The highest evidence ever seen on the way."""
    dice, counts, log, highest = random.Random(seed), {"a": 0, "b": 0}, 0.0, 0.0
    for _ in range(units):
        variant = "a" if dice.random() < probability else "b"
        log += log_evidence_step(counts, shares, variant)
        counts[variant] += 1
        highest = max(highest, log)
    return math.exp(highest)


def test_evidence_looked_at_after_each_unit_raises_no_false_alarm_and_finds_a_skew():
    even = {"a": 0.5, "b": 0.5}
    assert max(evidence(3000, even, 0.5, seed) for seed in range(20)) < 1000
    assert evidence(6000, even, 0.56, 1) > 1000
