"""Delayed hedging: a second call races a slow first one, within a budget; the loser is cancelled and told."""

import asyncio
import random

import pytest

from policies import Attempt, Candidate, Hedge, Limits, Outcome, Plan, Target, Timeouts
from router import Refusal
from router.hedge import Allowances
from router.upstreams.scripted import CANONICAL

from .house import House, drained

A, B, C = (Target("p", name) for name in "abc")
HEDGED = Limits(hedge=Hedge(0.01), timeouts=Timeouts(total_s=10.0))
LONG = Timeouts(connect_s=1, first_token_s=3, idle_s=3, total_s=5, answer_s=3)


def house(after_s=0.02, max_extra=1.0, **fields):
    return House(timeouts=LONG, hedge=Hedge(after_s, max_extra), **fields)


def test_a_hedge_goes_to_another_target_within_the_limits():
    plan = Plan(tuple(Candidate(one) for one in (A, B, C)), HEDGED, 100.0)
    assert plan.hedge_step((), A, 101.0).target is B
    assert plan.hedge_step((), A, 109.0).timeouts.total_s == pytest.approx(1.0)
    failed = Attempt(A, Outcome.HTTP_5XX, 100.0, 100.1)
    assert plan.hedge_step((failed,), B, 101.0).target is C
    assert plan.hedge_step((failed, failed), B, 101.0) is None
    assert plan.hedge_step((), A, 111.0) is None


def test_who_rests_or_is_probed_is_no_hedge():
    resting = Plan((Candidate(A), Candidate(B, "cooling down"), Candidate(C, once=True)), HEDGED, 100.0)
    assert resting.hedge_step((), A, 101.0) is None


def test_nothing_is_hedged_after_the_commit():
    plan = Plan((Candidate(A), Candidate(B)), HEDGED, 100.0)
    assert plan.hedge_step((Attempt(A, Outcome.TRUNCATED, 100.0, 100.1, committed=True),), B, 101.0) is None


def test_hedges_are_paid_for_by_requests():
    allowances, sent = Allowances(), 0
    for _ in range(1000):
        allowances.earn("pool", 0.05)
        sent += allowances.spend("pool")
    assert sent == pytest.approx(50, abs=1)
    for number in range(3000):
        allowances.earn(f"name-{number}", 0.05)
    assert not allowances.spend("never seen")


@pytest.mark.parametrize("stream", [True, False])
async def test_the_sooner_answer_wins_and_the_slow_call_is_cancelled(stream):
    street = house()
    if stream:
        heard = await street.heard("slow-first-60", "ok")
        text, record = heard.text, heard.record
    else:
        completion = await street.complete("slow-60", "ok")
        text, record = completion.document["choices"][0]["message"]["content"], completion.record
    assert text == CANONICAL
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.HEDGE_LOST, Outcome.SUCCESS]
    assert record.attempts[0].ended_s - record.attempts[0].started_s < 0.3
    assert street.same_as_the_upstreams_log(record)
    assert street.upstream.journal.seen[0].client_gone
    assert set(street.router.health.in_flight().values()) == {0}
    assert street.router.health.snapshot(0.0)["scripted/ok"].rests_until_s == 0


async def test_a_quick_first_call_is_not_hedged():
    street = house(after_s=0.5)
    heard = await street.heard("ok", "ok@other")
    assert (heard.text, len(heard.record.attempts)) == (CANONICAL, 1)


async def test_a_first_call_that_wins_after_all_leaves_the_hedge_behind():
    street = house()
    heard = await street.heard("slow-first-5", "hang")
    assert heard.text == CANONICAL
    assert [a.target.model for a in heard.record.attempts] == ["hang", "slow-first-5"]
    assert [a.outcome for a in heard.record.attempts] == [Outcome.HEDGE_LOST, Outcome.SUCCESS]


async def test_a_hedge_that_fails_leaves_the_first_call_alone():
    street = house()
    heard = await street.heard("slow-first-5", "500")
    assert heard.text == CANONICAL
    assert [a.outcome for a in heard.record.attempts] == [Outcome.HTTP_5XX, Outcome.SUCCESS]


async def test_when_both_fail_the_walk_goes_on():
    street = house()
    heard = await street.heard("role-then-die", "500", "ok")
    assert heard.text == CANONICAL
    with pytest.raises(Refusal):
        await street.complete("html", "500")


async def test_a_client_that_hangs_up_cancels_both():
    street = house()
    asking = asyncio.ensure_future(street.complete("hang", "hang@b"))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [seen.client_gone for seen in street.upstream.journal.seen] == [True, True]
    assert set(street.router.health.in_flight().values()) == {0}


async def test_within_the_budget_the_slow_tail_is_cut():
    """Three per cent of the calls are slow: hedging must take them out of the tail for no more than 5 % extra calls."""

    async def tail(street):
        chance, send, times = random.Random(7), street.upstream.send, []

        async def sometimes_slow(call):
            if call.target.model == "ok@tail" and chance.random() < 0.03:
                await asyncio.sleep(0.4)
            return await send(call)

        street.upstream.send = sometimes_slow
        for _ in range(400):
            began = asyncio.get_running_loop().time()
            stream = await street.stream("ok@tail", "ok@spare")
            times.append(asyncio.get_running_loop().time() - began)
            await drained(stream)
        spare = sum(seen.model == "ok@spare" for seen in street.upstream.journal.seen)
        return sorted(times)[395], spare / 400

    plain, none = await tail(House(timeouts=LONG))
    hedged, extra = await tail(house(after_s=0.04, max_extra=0.05))
    assert hedged < 0.5 * plain
    assert (none, extra <= 0.05) == (0, True)
