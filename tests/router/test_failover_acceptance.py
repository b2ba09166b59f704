"""The failover acceptance list: sixty words, one fallback; with the limits of the `resilient` profile.

They wait for a Retry-After of up to 3 s, repeat one 5xx on the same target, and continue after an interruption. Times
are made short. What the `interactive` default makes of the same list stands at the end.
"""

import dataclasses

import pytest

from policies import CooldownRule, Timeouts
from router import Clock, Refusal
from router.config.policy import PROFILES
from router.upstreams.scripted import CANONICAL

from .house import House

LIMITS = Timeouts(first_token_s=0.2, idle_s=0.1, total_s=30.0, answer_s=0.3)


async def at_once(_seconds):
    return None


def house(**fields):
    return House(clock=Clock(sleep=at_once), **profile("resilient"), **fields)


def profile(name):
    limits = PROFILES[name]
    fields = {field.name: getattr(limits, field.name) for field in dataclasses.fields(limits)}
    return {**fields, "timeouts": LIMITS}


@pytest.mark.parametrize(
    ("primary", "fallback", "primary_calls"),
    [
        pytest.param("429-retry-after-2-once", "ok", 2, id="S01"),
        pytest.param("429", "ok", 1, id="S02"),
        pytest.param("500-once", "ok", 2, id="S03"),
        pytest.param("503", "ok", 2, id="S04"),
        pytest.param("reset-once", "ok", 2, id="S05"),
        pytest.param("hang", "ok", 1, id="S06"),
        pytest.param("slow-first-20", "ok", 1, id="S07"),
        pytest.param("cut-40", "ok", 2, id="S08"),
        pytest.param("stall-20", "ok", 1, id="S09"),
        pytest.param("malformed-20", "ok", 1, id="S10"),
        pytest.param("no-done-close", "ok", 1, id="S11"),
        pytest.param("context", "ok", 1, id="S12"),
        pytest.param("cut-40", "prefill-reject", 2, id="S14"),
        pytest.param("503", "ok", 2, id="S16"),
    ],
)
async def test_the_whole_answer_arrives_with_few_calls_to_the_primary(primary, fallback, primary_calls):
    street = house()
    heard = await street.heard(primary, fallback)
    assert heard.text == CANONICAL
    assert heard.done
    assert street.upstream.journal.models().count(primary) == primary_calls
    assert street.same_as_the_upstreams_log(heard.record)
    assert heard.metadata["usage"]["completion_tokens"] > 0
    assert heard.chunks[-1]["model"] == f"scripted/{street.upstream.journal.models()[-1]}"


async def test_s13_a_content_filter_is_a_clean_error_after_one_call():
    street = house()
    with pytest.raises(Refusal) as refused:
        await street.heard("content-filter", "ok")
    assert (refused.value.status, refused.value.code) == (400, "content_policy_violation")
    assert street.upstream.journal.models() == ["content-filter"]


async def test_s15_an_outage_costs_a_handful_of_calls_and_the_primary_is_used_again():
    now = [1000.0]
    street = House(clock=Clock(now=lambda: now[0]), timeouts=LIMITS)
    street.upstream._wall_s = lambda: now[0]
    for _ in range(30):
        heard = await street.heard("outage-60", "ok")
        assert heard.text == CANONICAL
        now[0] += 4.0
    failures = sum(seen.status == 503 for seen in street.upstream.journal.seen)
    assert failures <= 6
    assert street.upstream.journal.models()[-1] == "outage-60"


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.5, 0.75, 0.999])
async def test_s15_with_the_documented_settings_costs_six_calls_at_most_and_the_primary_is_back_in_five_seconds(chance):
    """Twenty requests four seconds apart, an outage of a minute: whatever chance makes of the rests."""
    now, began_s = [1000.0], 1000.0
    rule = CooldownRule(consecutive_failures=2, base_s=15.5, max_s=15.5)
    clock = Clock(now=lambda: now[0], sleep=at_once, chance=lambda: chance)
    street = House(clock=clock, cooldown=rule, **profile("resilient"))
    street.upstream._wall_s = lambda: now[0]
    for _ in range(20):
        heard = await street.heard("outage-60", "ok")
        assert (heard.text, heard.done) == (CANONICAL, True)
        now[0] += 4.0
    calls = [(seen.time - began_s, seen.status) for seen in street.upstream.journal.seen if seen.model == "outage-60"]
    assert sum(status == 503 for _, status in calls) <= 6
    assert min(at_s for at_s, status in calls if status == 200) <= 65


@pytest.mark.parametrize(
    ("primary", "scenario"),
    [
        ("429-retry-after-2-once", "S01"),
        ("429", "S02"),
        ("500-once", "S03"),
        ("503", "S04"),
        ("reset-once", "S05"),
        ("hang", "S06"),
        ("slow-first-20", "S07"),
        ("malformed-20", "S10"),
        ("no-done-close", "S11"),
        ("context", "S12"),
    ],
)
async def test_the_interactive_default_answers_at_once_from_the_fallback(primary, scenario):
    street = House(clock=Clock(sleep=at_once), **profile("interactive"))
    heard = await street.heard(primary, "ok")
    assert heard.text == CANONICAL, scenario
    assert street.upstream.journal.models().count(primary) == 1


@pytest.mark.parametrize("primary", ["cut-40", "stall-20"])
async def test_the_interactive_default_ends_an_interrupted_answer_with_one_clean_error(primary):
    heard = await House(clock=Clock(sleep=at_once), **profile("interactive")).heard(primary, "ok")
    assert [error["code"] for error in heard.errors] == ["stream_interrupted"]
    assert not heard.done
