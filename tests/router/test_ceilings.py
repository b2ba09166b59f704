"""A target that says 429 when it has too much at once: its calls wait their turn, or go to a target that is free."""

import asyncio
import contextlib

import pytest

from policies import Attempt, Outcome, Target
from router import Refusal
from router.health import Health
from router.upstreams.base import UpstreamFault
from router.upstreams.slots import Slots

from .house import House, Timeouts

A = Target("p", "a")
LONG = Timeouts(connect_s=1, first_token_s=4, idle_s=4, total_s=8, answer_s=4)
CROWDED = "scripted/crowded-3"


def ended(outcome=Outcome.SUCCESS, *, began_s=0.0, ended_s=1.0, **fields):
    return Attempt(A, outcome, began_s, ended_s, **fields)


def full(calls=4):
    """Health in which so many calls are under way, one of which was answered 429."""
    health = Health()
    for _ in range(calls):
        assert health.begin(A.name, 0.0)
    health.end(ended(Outcome.RATE_LIMITED))
    return health


def test_a_429_sets_a_ceiling_and_a_full_target_is_seen_as_such():
    health = full()
    assert health.ceilings() == {A.name: 3}
    assert health.snapshot(1.0)[A.name].full
    health.end(ended(began_s=2.0))
    assert not health.snapshot(1.0)[A.name].full
    assert health.begin(A.name, 3.0)
    assert not health.begin(A.name, 3.0)


def test_a_callers_own_limit_says_nothing_about_the_target():
    health = Health()
    health.begin(A.name, 0.0)
    health.end(ended(Outcome.RATE_LIMITED, credential_type="byok"))
    assert health.ceilings() == {}


def test_after_five_minutes_without_a_429_there_is_no_ceiling():
    health = full()
    health.end(ended(began_s=2.0, ended_s=302.0))
    assert health.ceilings() == {}
    assert all(health.begin(A.name, 303.0) for _ in range(50))
    assert not health.snapshot(303.0)[A.name].full


def test_who_waited_in_vain_gives_no_slot_back():
    health = full()
    assert not health.begin(A.name, 2.0)
    health.end(ended(Outcome.ROUTER_OVERLOADED), entered=False)
    assert not health.begin(A.name, 2.0)


async def test_slots_are_served_in_order_also_when_there_are_suddenly_more():
    slots, served = Slots(1), []

    async def one(number):
        await slots.enter(5.0)
        served.append(number)

    assert slots.try_enter()
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(one(number))
        await asyncio.sleep(0)
        slots.leave()
        await asyncio.sleep(0)
        assert served == [0]
        slots.resize(3)
    assert (served, slots.in_use) == ([0, 1, 2], 3)


async def test_fewer_slots_take_none_away_and_let_nobody_in_until_there_is_room():
    slots = Slots(3)
    assert all(slots.try_enter() for _ in range(3))
    slots.resize(1)
    waiting = asyncio.ensure_future(slots.enter(5.0))
    for left in (2, 1):
        slots.leave()
        await asyncio.sleep(0)
        assert (slots.in_use, waiting.done()) == (left, False)
    slots.leave()
    await waiting
    assert slots.in_use == 1


@pytest.mark.parametrize("pending", [0, 1])
async def test_a_full_queue_and_a_wait_in_vain_are_told_apart(pending):
    slots = Slots(0, max_pending=pending)
    with pytest.raises(UpstreamFault, match="no free slot" if pending else "queue is full") as caught:
        await slots.enter(0.01)
    assert caught.value.outcome is Outcome.ROUTER_OVERLOADED
    assert slots.in_use == 0


async def learnt(house):
    """Six calls at once to a target that takes three: what it takes is learnt from what it refuses."""

    async def ask():
        with contextlib.suppress(Refusal):
            await house.heard("crowded-3")

    await asyncio.gather(*(ask() for _ in range(6)))
    return house.router.health.ceilings()


def refusals(house):
    return sum(seen.status == 429 for seen in house.upstream.journal.seen)


async def test_calls_wait_their_turn_instead_of_being_refused_by_the_provider():
    house = House(timeouts=LONG, gap_s=0.1)
    ceilings = await learnt(house)
    assert set(ceilings) == {CROWDED}
    assert 1 <= ceilings[CROWDED] <= 4
    vitals = house.router.health._vitals[CROWDED]
    vitals.ceiling.calls = 2.0  # as further 429s would have taught
    vitals.slots.resize(2.0)
    before = refusals(house)
    heard = await asyncio.gather(*(house.heard("crowded-3") for _ in range(9)))
    assert all(one.done for one in heard)
    assert refusals(house) == before
    assert house.router.health.in_flight() == {CROWDED: 0}


async def test_a_full_target_stands_behind_one_that_is_free():
    house = House(timeouts=LONG, gap_s=0.1)
    await learnt(house)
    health = house.router.health
    health._vitals[CROWDED].breaker.rests_until_s = 0.0
    for _ in range(int(health.ceilings()[CROWDED])):
        assert health.begin(CROWDED, house.router.clock.now())
    heard = await house.heard("crowded-3", "ok")
    assert heard.models == {"scripted/ok"}
    assert [attempt.target.model for attempt in heard.record.attempts] == ["ok"]


async def test_who_waits_in_vain_is_told_503_and_the_attempt_says_why():
    house = House(timeouts=Timeouts(connect_s=1, first_token_s=0.2, idle_s=1, total_s=2, answer_s=1), gap_s=0.1)
    await learnt(house)
    health = house.router.health
    for _ in range(4):
        health.begin(CROWDED, house.router.clock.now())
    calls = len(house.upstream.journal.seen)
    with pytest.raises(Refusal) as refused:
        await house.heard("crowded-3")
    assert (refused.value.status, refused.value.code) == (503, "router_overloaded")
    assert len(house.upstream.journal.seen) == calls
    assert health.in_flight() == {CROWDED: 4}


async def test_hanging_up_in_the_queue_leaves_nothing_behind():
    house = House(timeouts=LONG, gap_s=0.1)
    await learnt(house)
    health = house.router.health
    for _ in range(health.ceilings()[CROWDED]):
        assert health.begin(CROWDED, house.router.clock.now())
    before = health.in_flight()
    task = asyncio.ensure_future(house.heard("crowded-3"))
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert health.in_flight() == before
    slots = health._vitals[CROWDED].slots
    assert (slots.in_use, len(slots._queue)) == (slots.limit, 0)
