"""The failover acceptance list: sixty words, one fallback; with the settings that ask for the most.

Settings: wait for a Retry-After of up to 3 s, one retry of a 5xx on the same target, continue after an interruption.
"""

import pytest

from policies import Timeouts
from router import Clock, Refusal
from router.upstreams.scripted import CANONICAL

from .house import House

LIMITS = Timeouts(first_token_s=0.2, idle_s=0.1, total_s=30.0, answer_s=0.3)


async def at_once(_seconds):
    return None


def house(**fields):
    return House(
        timeouts=LIMITS,
        retry_same=1,
        wait_for_retry_after_s=3.0,
        on_interrupt="continue",
        clock=Clock(sleep=at_once),
        **fields,
    )


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
    assert failures <= 7
    assert street.upstream.journal.models()[-1] == "outage-60"
