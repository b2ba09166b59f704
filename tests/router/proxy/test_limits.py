"""Rates are arithmetic with the clock handed in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Attempt, Facts, Outcome, Prices, RoutingTable, Target, Targets
from router import Refusal
from router.proxy import Allowance, LocalLimiter
from router.proxy.limits import Rate, quota_headers
from router.proxy.site import settle
from router.record import Record


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


async def test_a_minutes_worth_may_come_at_once_and_then_flows_back():
    clock = Clock()
    limiter = LocalLimiter(clock)
    allowance = Allowance(rpm=60)
    for left in range(59, -1, -1):
        permit = await limiter.admit("a", allowance, tokens=1)
        assert permit.requests.remaining == left
    with pytest.raises(Refusal) as caught:
        await limiter.admit("a", allowance, tokens=1)
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")
    assert caught.value.headers["retry-after"] == "1"
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "0"
    clock.now_s += 1.0
    assert await limiter.admit("a", allowance, tokens=1)
    assert await limiter.admit("b", allowance, tokens=1)


async def test_tokens_are_reserved_and_settled_by_what_was_used():
    clock = Clock()
    limiter = LocalLimiter(clock)
    allowance = Allowance(tpm=1000)
    permit = await limiter.admit("a", allowance, tokens=900)
    with pytest.raises(Refusal, match="tokens per minute"):
        await limiter.admit("a", allowance, tokens=200)
    permit.settle(tokens=100, cost_usd=None)
    permit.settle(tokens=0, cost_usd=None)
    second = await limiter.admit("a", allowance, tokens=200)
    assert second.tokens.remaining == 700


async def test_a_request_larger_than_the_minute_is_let_in_alone():
    limiter = LocalLimiter(Clock())
    assert await limiter.admit("a", Allowance(tpm=10), tokens=1000)
    with pytest.raises(Refusal):
        await limiter.admit("a", Allowance(tpm=10), tokens=1)


async def test_requests_at_once_are_counted_until_released():
    limiter = LocalLimiter(Clock())
    allowance = Allowance(concurrent=1)
    permit = await limiter.admit("a", allowance, tokens=0)
    with pytest.raises(Refusal, match="concurrent"):
        await limiter.admit("a", allowance, tokens=0)
    permit.release()
    permit.release()
    assert await limiter.admit("a", allowance, tokens=0)
    with pytest.raises(Refusal, match="concurrent"):
        await limiter.admit("a", allowance, tokens=0)


async def test_a_spent_budget_is_not_to_be_retried():
    limiter = LocalLimiter(Clock())
    allowance = Allowance(budget_usd=1.0)
    (await limiter.admit("a", allowance, tokens=0)).settle(tokens=0, cost_usd=1.5)
    with pytest.raises(Refusal, match="budget") as caught:
        await limiter.admit("a", allowance, tokens=0)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.headers["x-should-retry"] == "false"


async def test_a_changed_allowance_keeps_what_is_running():
    limiter = LocalLimiter(Clock())
    await limiter.admit("a", Allowance(concurrent=2), tokens=0)
    with pytest.raises(Refusal):
        await limiter.admit("a", Allowance(concurrent=1), tokens=0)


async def test_a_permit_from_before_a_change_is_given_back_to_the_same_account():
    limiter = LocalLimiter(Clock())
    permit = await limiter.admit("a", Allowance(concurrent=2), tokens=0)
    permit_after = await limiter.admit("a", Allowance(concurrent=3), tokens=0)
    permit.release()
    permit_after.release()
    assert await limiter.admit("a", Allowance(concurrent=1), tokens=0)


async def test_a_budget_begins_anew_at_midnight():
    wall_s = [86_400 * 20_000 - 90.0]
    limiter = LocalLimiter(Clock(), lambda: wall_s[0])
    allowance = Allowance(budget_usd=1.0)
    (await limiter.admit("a", allowance, tokens=0)).settle(tokens=0, cost_usd=1.0)
    with pytest.raises(Refusal) as caught:
        await limiter.admit("a", allowance, tokens=0)
    assert caught.value.headers["retry-after"] == "90"
    wall_s[0] += 90
    assert await limiter.admit("a", allowance, tokens=0)


@given(st.integers(1, 600), st.lists(st.floats(0, 5), max_size=200))
def test_no_window_of_a_minute_admits_more_than_twice_the_rate(per_minute, gaps_s):
    rate, now_s, admitted = Rate(per_minute), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if rate.wait_s(1, now_s) == 0:
            rate.charge(1, now_s)
            admitted.append(now_s)
    assert all(sum(start <= at < start + 60 for at in admitted) <= 2 * per_minute for start in admitted)


@given(st.integers(1, 100_000), st.floats(0, 1e9))
def test_a_minutes_worth_is_admitted_at_any_reading_of_the_clock(per_minute, now_s):
    rate = Rate(per_minute)
    assert rate.wait_s(per_minute, now_s) == 0
    rate.charge(per_minute, now_s)
    assert rate.wait_s(1, now_s) > 0
    assert rate.quota(now_s).remaining == 0


def test_resets_are_written_as_openai_writes_them():
    rate = Rate(60)
    rate.charge(1, 0.0)
    assert quota_headers(rate.quota(0.5), None)["x-ratelimit-reset-requests"] == "500ms"
    rate.charge(2, 0.5)
    assert quota_headers(rate.quota(0.5), None)["x-ratelimit-reset-requests"] == "2.5s"


@pytest.mark.parametrize(
    ("outcome", "committed", "spent_usd"),
    [
        (Outcome.CANCELLED_BY_CLIENT, True, 256 * 3e-3),
        (Outcome.TRUNCATED, True, 256 * 3e-3),
        (Outcome.HTTP_5XX, False, 0),
    ],
)
async def test_an_answer_that_was_cut_short_is_not_free(outcome, committed, spent_usd):
    target = Target("p", "m", prices=Prices(1e-3, 2e-3))
    decision = RoutingTable(Targets(("p",))).decide(Facts("p/m"))
    record = Record("id", decision, 0.0, attempts=[Attempt(target, outcome, 0.0, 1.0, committed=committed)])
    permit = await LocalLimiter(Clock()).admit("a", Allowance(budget_usd=9.0), tokens=10)
    settle(permit, record)
    assert permit.usage.spent_usd == pytest.approx(spent_usd)
