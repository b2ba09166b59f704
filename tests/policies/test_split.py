"""A split is fair, independent of other splits, and moves only whom it must."""

from fractions import Fraction
from itertools import combinations

import pytest

from policies.split import Split

UNITS = [f"user-{number}" for number in range(100_000)]
FEWER = UNITS[:20_000]


def split(*weights, salt="s", assign="rendezvous", coverage=100):
    pairs = tuple((chr(97 + place), Fraction(str(weight))) for place, weight in enumerate(weights))
    return Split(salt, pairs, assign, Fraction(coverage))


def drawn(given, units=UNITS):
    return [given.draw(unit).variant for unit in units]


def chi_square(observed, expected):
    return sum((have - want) ** 2 / want for have, want in zip(observed, expected, strict=True) if want)


def moved(before, after):
    counts = {}
    for old, new in zip(drawn(split(*before)), drawn(split(*after)), strict=True):
        if old != new:
            counts[old, new] = counts.get((old, new), 0) + 1
    grown = {chr(97 + place) for place, (x, y) in enumerate(zip(before, after, strict=True)) if y > x}
    shrunk = {chr(97 + place) for place, (x, y) in enumerate(zip(before, after, strict=True)) if y < x}
    return counts, shrunk, grown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((10, 90), (20, 80)),
        ((10, 45, 45), (20, 40, 40)),
        ((25, 25, 25, 25), (40, 20, 20, 20)),
        ((20, 20, 20, 20, 20), (32, 17, 17, 17, 17)),
        ((50, 50, 0), (45, 45, 10)),
    ],
)
def test_what_one_variant_gains_from_all_others_moves_no_unit_more_than_that(before, after):
    counts, shrunk, grown = moved(before, after)
    assert all(old in shrunk and new in grown for old, new in counts), counts
    must = sum(max(0, y - x) for x, y in zip(before, after, strict=True)) / 100
    assert abs(sum(counts.values()) / len(UNITS) - must) < 0.005


def test_whatever_changes_a_unit_only_leaves_who_shrank_or_joins_who_grew():
    counts, shrunk, grown = moved((20, 20, 20, 20, 20), (20, 10, 20, 30, 20))
    assert all(old in shrunk or new in grown for old, new in counts), counts
    assert sum(counts.values()) / len(UNITS) < 0.17  # the least possible is 0.10


def test_proportions_are_those_of_the_weights_over_many_salts():
    limits = {2: 19.5, 3: 23.0, 5: 28.5}  # beyond the 0.99999 quantile with one, two and four degrees of freedom
    for weights in ((90, 10), (33.3, 33.3, 33.4), (5, 15, 20, 25, 35)):
        for number in range(12):
            found = drawn(split(*weights, salt=f"salt-{number}"), FEWER[:8000])
            names = [chr(97 + place) for place in range(len(weights))]
            expected = [8000 * weight / 100 for weight in weights]
            assert chi_square([found.count(name) for name in names], expected) < limits[len(weights)]


def test_salts_are_independent_of_each_other_pair_by_pair():
    size = 6000
    columns = [drawn(split(50, 50, salt=f"router/route-{number}"), UNITS[:size]) for number in range(14)]
    for one, other in combinations(columns, 2):
        pairs = list(zip(one, other, strict=True))
        observed = [pairs.count((left, right)) for left in "ab" for right in "ab"]
        expected = [one.count(left) * other.count(right) / size for left in "ab" for right in "ab"]
        assert chi_square(observed, expected) < 24  # one degree of freedom: 1e-6, for 91 pairs


@pytest.mark.parametrize("assign", ["rendezvous", "ranges", "growthbook-v2"])
def test_growing_coverage_lets_units_in_and_moves_nobody(assign):
    low, high, whole = (drawn(split(30, 70, assign=assign, coverage=coverage), FEWER) for coverage in (10, 40, 100))
    assert all(new == old for old, new in zip(low, high, strict=True) if old is not None)
    assert all(new == old for old, new in zip(high, whole, strict=True) if old is not None)
    assert None not in whole
    assert abs(sum(name is not None for name in low) / len(FEWER) - 0.1) < 0.01
    assert abs(low.count("a") / max(1, len(FEWER) - low.count(None)) - 0.3) < 0.05


def test_ranges_are_cumulative_and_sorted_by_id():
    ranges = Split("exp-1", (("b", Fraction(10)), ("a", Fraction(90))), "ranges")
    assert ranges.draw(" u1").variant == "b"  # bucket 903,806
    assert ranges.draw("u1").variant == "a"  # bucket 566,308
    assert ranges.draw("u1").bucket == 566308


def test_growthbook_ranges_keep_the_order_given():
    kept = Split("seed", (("second", Fraction(20)), ("first", Fraction(80))), "growthbook-v2")
    assert kept.draw("a").variant == "second"  # 505 of 10,000
    assert kept.draw("b").variant == "first"  # 2,696


def test_the_propensity_is_the_weight():
    assert split(33.3, 66.7).propensity("a") == Fraction("0.333")
