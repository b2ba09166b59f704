"""The breaker: when a target rests, when it is probed, how it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Breaker, CooldownRule, Outcome
from policies.outcome import RULES


def failed(breaker, times, at=0.0, outcome=Outcome.HTTP_5XX, jitter=0.0):
    for _ in range(times):
        breaker.begin(at)
        breaker.record(outcome, at, jitter=jitter)


def rested():
    breaker = Breaker()
    failed(breaker, 5)
    return breaker


def test_five_failures_in_a_row_rest_a_target_for_thirty_seconds():
    breaker = Breaker()
    failed(breaker, 4)
    assert breaker.rests_until_s == 0.0
    failed(breaker, 1)
    assert breaker.rests_until_s == 30.0


def test_jitter_shortens_a_rest_by_up_to_a_fifth():
    breaker = Breaker()
    failed(breaker, 5, jitter=0.5)
    assert breaker.rests_until_s == pytest.approx(27.0)


def test_an_answer_in_between_starts_the_row_anew():
    breaker = Breaker()
    failed(breaker, 4)
    breaker.record(Outcome.SUCCESS, 0.0)
    failed(breaker, 4)
    assert breaker.rests_until_s == 0.0


def test_failures_of_local_origin_are_counted_apart():
    breaker = Breaker()
    failed(breaker, 4)
    failed(breaker, 4, outcome=Outcome.CONNECT_REFUSED)
    assert breaker.rests_until_s == 0.0
    failed(breaker, 1, outcome=Outcome.TLS)
    assert breaker.rests_until_s == 30.0


def test_half_of_twenty_calls_failing_within_the_window_rests_a_target():
    breaker = Breaker()
    for _ in range(9):
        breaker.record(Outcome.SUCCESS, 0.0)
        breaker.record(Outcome.HTTP_5XX, 0.0)
    assert breaker.rests_until_s == 0.0
    breaker.record(Outcome.SUCCESS, 16.0)
    breaker.record(Outcome.HTTP_5XX, 16.0, jitter=0.0)
    assert breaker.rests_until_s == 46.0


@pytest.mark.parametrize("pause_s", [30.0, 1000.0])
def test_old_failures_leave_the_window(pause_s):
    breaker = Breaker()
    for _ in range(9):
        breaker.record(Outcome.SUCCESS, 0.0)
        breaker.record(Outcome.HTTP_5XX, 0.0)
    for _ in range(3):
        breaker.record(Outcome.SUCCESS, pause_s)
        breaker.record(Outcome.HTTP_5XX, pause_s)
    assert breaker.rests_until_s == 0.0


def test_failures_that_arrive_during_the_rest_do_not_lengthen_it():
    breaker = rested()
    failed(breaker, 7, at=10.0)
    assert breaker.rests_until_s == 30.0


def test_after_the_rest_one_probe_is_out_at_a_time():
    breaker = rested()
    breaker.begin(29.0)
    assert not breaker.probing
    breaker.begin(31.0)
    assert breaker.probing


def test_a_target_that_is_still_down_is_asked_once_a_rest():
    breaker, at = rested(), 30.0
    for _ in range(12):
        failed(breaker, 1, at=at)
        assert breaker.rests_until_s - at == 30.0
        at = breaker.rests_until_s


def test_a_target_that_comes_back_and_fails_again_rests_longer_up_to_the_cap():
    breaker, at = rested(), 30.0
    lengths = []
    for _ in range(12):
        breaker.begin(at)
        breaker.record(Outcome.SUCCESS, at)
        failed(breaker, 5, at=at + 1)
        lengths.append(breaker.rests_until_s - at - 1)
        at = breaker.rests_until_s
    assert lengths[:3] == [60.0, 90.0, 120.0]
    assert lengths[-1] == 300.0


def test_a_probe_that_begins_to_answer_brings_the_target_back_slowly():
    breaker = rested()
    breaker.begin(40.0)
    breaker.proved(40.0)
    assert not breaker.probing
    assert [round(breaker.share(at), 2) for at in (40.0, 55.0, 70.0)] == [0.1, 0.55, 1.0]


def test_a_cancelled_probe_says_nothing_and_frees_the_place():
    breaker = rested()
    breaker.begin(40.0)
    breaker.record(Outcome.CANCELLED_BY_CLIENT, 40.0)
    assert breaker.half_open
    assert not breaker.probing


def test_a_target_that_stayed_well_is_forgiven_its_earlier_rests():
    breaker = rested()
    breaker.proved(40.0)
    breaker.proved(41.0)
    breaker.proved(80.0)
    failed(breaker, 5, at=100.0)
    assert breaker.rests_until_s == 130.0


def test_a_target_that_relapses_at_once_is_not():
    breaker = rested()
    breaker.proved(40.0)
    failed(breaker, 5, at=45.0)
    assert breaker.rests_until_s == 105.0


@pytest.mark.parametrize(
    ("outcome", "asked_s", "rest_s"),
    [
        (Outcome.RATE_LIMITED, 30.0, 30.0),
        (Outcome.RATE_LIMITED, 900.0, 120.0),
        (Outcome.RATE_LIMITED, None, 5.0),
        (Outcome.QUOTA_EXHAUSTED, None, 300.0),
        (Outcome.UPSTREAM_AUTH, None, 60.0),
    ],
)
def test_limits_quotas_and_keys_rest_a_target_on_their_own(outcome, asked_s, rest_s):
    breaker = Breaker()
    breaker.record(outcome, 10.0, retry_after_s=asked_s)
    assert breaker.rests_until_s == 10.0 + rest_s
    assert not breaker.half_open


def test_a_shorter_rest_never_cuts_a_longer_one():
    breaker = Breaker()
    breaker.record(Outcome.QUOTA_EXHAUSTED, 0.0)
    breaker.record(Outcome.RATE_LIMITED, 1.0)
    assert breaker.rests_until_s == 300.0


def test_a_bad_request_shows_that_the_target_lives():
    breaker = Breaker()
    failed(breaker, 4)
    failed(breaker, 1, outcome=Outcome.BAD_REQUEST)
    failed(breaker, 4)
    assert breaker.rests_until_s == 0.0


def test_a_rule_of_its_own_can_be_handed_in():
    breaker = Breaker(CooldownRule(consecutive_failures=1, base_s=2.0))
    breaker.record_rule(RULES[Outcome.HTTP_5XX], Outcome.IN_BAND_ERROR, 0.0, jitter=0.0)
    assert breaker.rests_until_s == 2.0


@given(st.lists(st.tuples(st.sampled_from(list(Outcome)), st.floats(0, 60), st.floats(0, 1, exclude_max=True))))
def test_a_rest_is_never_longer_than_its_cap_and_a_share_never_outside_its_bounds(history):
    breaker, now_s = Breaker(), 0.0
    for outcome, pause_s, jitter in history:
        now_s += pause_s
        breaker.begin(now_s)
        breaker.record(outcome, now_s, jitter=jitter)
        assert breaker.rests_until_s <= now_s + 300.0
        assert 0.1 <= breaker.share(now_s) <= 1.0
        assert not breaker.probing


def test_a_call_that_never_went_out_proves_nothing():
    breaker = Breaker()
    failed(breaker, 4)
    breaker.record(Outcome.ROUTER_OVERLOADED, 0.0)
    failed(breaker, 1)
    assert breaker.rests_until_s == 30.0
