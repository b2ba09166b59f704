"""The interval has its published values, covers the truth at every look, and finds what is there."""

import math
import random

import pytest

from policies.analysis.sequential import Moments, always_valid_p, compare, half_width, tuning

GOLDEN = {
    500: 0.1724033,
    1_000: 0.1063755,
    2_500: 0.0616714,
    5_000: 0.0429243,
    10_000: 0.0306148,
    20_000: 0.0221120,
    50_000: 0.0144974,
    200_000: 0.0076785,
}


@pytest.mark.parametrize(("count", "width"), GOLDEN.items())
def test_the_interval_has_its_published_widths(count, width):
    assert half_width(count, 1.0) == pytest.approx(width, abs=5e-8)


def test_the_tuning_is_the_published_one():
    assert tuning() == pytest.approx(0.03984007, abs=5e-9)


def test_p_is_at_its_level_where_the_interval_touches_zero():
    for count in GOLDEN:
        assert always_valid_p(count, 2.0, half_width(count, 2.0)) == pytest.approx(0.05, rel=1e-9)
    assert always_valid_p(500, 1.0, 0.0) == 1.0


def test_moments_add_up_and_change():
    left, right, whole = Moments(), Moments(), Moments()
    for value in (1.0, 2.0, 4.0):
        left.add(value)
        whole.add(value)
    right.add(7.0)
    whole.add(9.0)
    whole.move(9.0, 7.0)
    assert left.joined(right) == whole
    assert (whole.mean, whole.variance) == (3.5, 7.0)
    assert (Moments().mean, Moments().variance) == (0.0, 0.0)


def test_nothing_is_said_of_too_little():
    one, still = Moments(1, 1.0, 1.0), Moments(50, 0.0, 0.0)
    assert compare(one, still) is None
    assert compare(still, still) is None


def test_a_variant_that_never_varies_is_still_compared():
    found = compare(Moments(200, 0.0, 0.0), Moments(200, 200.0, 200.0))
    assert found.difference == 1.0
    assert 0 < found.low < 1 < found.high
    assert found.p_value < 1e-6


def _flips(chance, share, size):
    return sum(chance.random() < share for _ in range(size))


def _looks(chance, control, treatment, *, steps, size=100):
    """The comparison after every `size` units of each variant."""
    left, right = Moments(), Moments()
    for _ in range(steps):
        for moments, share in ((left, control), (right, treatment)):
            hits = _flips(chance, share, size)
            moments.count, moments.total, moments.squares = (
                moments.count + size,
                moments.total + hits,
                moments.squares + hits,
            )
        found = compare(left, right)
        if found is not None:
            yield found, left, right


def test_looking_all_the_time_finds_nothing_where_nothing_is():
    """The naive test, looked at as often, cries wolf several times more."""
    chance, runs, fired, naive = random.Random(7), 150, 0, 0
    for _ in range(runs):
        looks = list(_looks(chance, 0.1, 0.1, steps=40))
        fired += any(found.low > 0 or found.high < 0 for found, _, _ in looks)
        errors = [math.sqrt(left.variance / left.count + right.variance / right.count) for _, left, right in looks]
        naive += any(abs(found.difference) > 1.96 * error for (found, _, _), error in zip(looks, errors, strict=True))
    assert fired / runs <= 0.05
    assert naive / runs > 0.2


def test_what_is_there_is_found():
    chance = random.Random(8)
    for _ in range(20):
        *_, (last, _, _) = _looks(chance, 0.1, 0.2, steps=20)
        assert last.low > 0
        assert last.p_value < 0.05
