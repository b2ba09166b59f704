import json

import pytest

from policies import Outcome, Timeouts
from router.upstreams.base import UpstreamFault
from router.upstreams.scripted import CANONICAL, ScriptedUpstream
from tests.router.upstreams.calls import chat, deltas, events
from tests.router.upstreams.clock import VirtualTime


@pytest.fixture
def time():
    return VirtualTime()


@pytest.fixture
def scripted(time):
    return ScriptedUpstream(time.clock, gap_s=0.015, wall_s=lambda: time.now_s)


async def drained(reply):
    got = b""
    try:
        while part := await reply.read():
            got += part
    except UpstreamFault as fault:
        return got, fault.outcome
    return got, None


async def test_ok_is_the_whole_answer_and_is_noted_as_completed(scripted, time):
    reply = await scripted.send(chat("ok", stream=True))
    body, fault = await drained(reply)
    assert deltas(events(body)) == CANONICAL
    assert fault is None
    assert time.now_s == pytest.approx(60 * 0.015)
    [seen] = scripted.journal.seen
    assert (seen.model, seen.fault, seen.completed, seen.client_gone) == ("ok", "ok", True, False)


@pytest.mark.parametrize(
    ("model", "words", "outcome"),
    [
        ("cut-40", 40, Outcome.TRUNCATED),
        ("cut-0", 0, Outcome.TRUNCATED),
        ("reset-7", 7, Outcome.RESET_AFTER_COMMIT),
        ("stall-20", 20, Outcome.IDLE_TIMEOUT),
        ("finless-9", 9, None),
        ("no-done-open", 60, Outcome.IDLE_TIMEOUT),
        ("no-done-close", 60, None),
    ],
)
async def test_interrupted_streams_end_as_scripted(scripted, model, words, outcome):
    body, fault = await drained(await scripted.send(chat(model, stream=True)))
    assert (len(deltas(events(body)).split()), fault) == (words, outcome)


async def test_faults_before_the_answer_are_raised(scripted, time):
    with pytest.raises(UpstreamFault) as reset:
        await scripted.send(chat("reset"))
    with pytest.raises(UpstreamFault) as hang:
        await scripted.send(chat("hang", timeouts=Timeouts(total_s=9)))
    assert (reset.value.outcome, hang.value.outcome) == (Outcome.RESET_BEFORE_COMMIT, Outcome.HEADER_TIMEOUT)
    assert time.now_s == 9
    assert [seen.client_gone for seen in scripted.journal.seen] == [False, True]


async def test_closing_early_is_noted_as_a_client_that_has_gone(scripted):
    reply = await scripted.send(chat("ok", stream=True))
    await reply.read()
    reply.close()
    assert scripted.journal.seen[0].client_gone
    assert not scripted.journal.seen[0].completed


async def test_the_journal_counts_calls_by_model_and_can_be_cleared(scripted):
    assert [(await scripted.send(chat("500-once"))).status for _ in range(2)] == [500, 200]
    scripted.journal.clear()
    assert (await scripted.send(chat("500-once"))).status == 500
    assert scripted.journal.models() == ["500-once"]
    assert scripted.journal.seen[0].fields == ["messages", "model"]
    assert scripted.journal.seen[0].document is None


async def test_bodies_are_kept_on_demand_only(time):
    scripted = ScriptedUpstream(time.clock, keep_bodies=True)
    await scripted.send(chat("ok", "hello"))
    assert scripted.journal.seen[0].document["messages"][0]["content"] == "hello"
    await scripted.aclose()


async def test_pauses_scale(time):
    scripted = ScriptedUpstream(time.clock, time_scale=0.05)
    reply = await scripted.send(chat("slow-headers"))
    assert json.loads(await reply.body())["choices"][0]["message"]["content"] == CANONICAL
    assert time.now_s == pytest.approx(1.5)
