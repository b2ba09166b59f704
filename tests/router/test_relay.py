"""Streams: fall back freely before the first meaningful delta, never after it; one clean end in every case."""

import asyncio
import time

import pytest

from policies import Feature, Outcome, Timeouts
from router import Refusal, relay
from router.upstreams.scripted import CANONICAL

from .house import House, drained, target

WORDS = CANONICAL.split()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("500", "http_5xx"),
        ("502", "http_5xx"),
        ("503", "overloaded"),
        ("529", "overloaded"),
        ("429", "rate_limited"),
        ("quota", "quota_exhausted"),
        ("auth", "upstream_auth"),
        ("403", "upstream_auth"),
        ("404", "model_not_found"),
        ("408", "http_408"),
        ("409", "http_409"),
        ("context", "context_length"),
        ("unsupported", "unsupported_param"),
        ("nonsense", "model_not_found"),
        ("html", "malformed_response"),
        ("error-json", "in_band_error"),
        ("error-first", "in_band_error"),
        ("reset", "reset_before_commit"),
        ("close", "reset_before_commit"),
        ("hang", "first_token_timeout"),
        ("slow-headers", "first_token_timeout"),
        ("slow-first-30", "first_token_timeout"),
        ("comments-only", "first_token_timeout"),
        ("empty", "empty_response"),
        ("null-content", "empty_response"),
        ("role-then-die", "truncated"),
        ("finless-0", "empty_response"),
        ("redirect", "malformed_response"),
        ("endless-line", "malformed_response"),
        ("huge-event", "malformed_response"),
        ("deep-json", "malformed_response"),
        ("bomb-gzip", "malformed_response"),
    ],
)
async def test_before_the_first_delta_a_fault_is_invisible_to_the_client(fault, outcome):
    house = House()
    heard = await house.heard(fault, "ok")
    assert heard.text == CANONICAL
    assert heard.done
    assert heard.models == {"scripted/ok"}
    assert heard.outcomes == [outcome, "success"]
    assert sum("role" in c["delta"] for chunk in heard.chunks for c in chunk["choices"]) == 1
    assert house.same_as_the_upstreams_log(heard.record)


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        ("cut-40", "truncated", 40),
        ("reset-40", "reset_after_commit", 40),
        ("finless-40", "truncated", 40),
        ("stall-20", "idle_timeout", 20),
        ("error-20", "in_band_error", 20),
        ("tool-cut", "truncated", 0),
    ],
)
async def test_after_the_first_delta_a_fault_is_one_error_event_without_done(fault, outcome, words):
    house = House(gap_s=0.001)
    heard = await house.heard(fault, "ok")
    assert heard.text.split() == WORDS[:words]
    assert not heard.done
    assert [error["code"] for error in heard.errors] == ["stream_interrupted"]
    assert heard.errors[0]["type"] == "upstream_error"
    assert heard.outcomes == [outcome]
    assert house.same_as_the_upstreams_log(heard.record)
    assert heard.record.attempts[0].committed
    assert heard.record.status == 200


@pytest.mark.parametrize(
    "oddity",
    ["ok", "malformed-20", "no-done-close", "late", "choice-7", "odd-sse", "no-usage", "odd-usage", "stale", "prefill"],
)
async def test_oddities_of_a_complete_stream_cost_nothing(oddity):
    house = House()
    heard = await house.heard(oddity)
    assert heard.text == CANONICAL
    assert heard.done
    assert heard.outcomes == ["success"]


async def test_malformed_events_are_counted_in_a_warning():
    heard = await House().heard("malformed-20")
    assert heard.metadata["warnings"][0]["code"] == "malformed_events"


async def test_bytes_that_are_no_utf8_become_replacement_characters():
    heard = await House().heard("bad-utf8")
    assert heard.text == "\ufffd\ufffd" + CANONICAL


async def test_a_missing_done_is_made_up_after_a_grace(monkeypatch):
    monkeypatch.setattr(relay, "GRACE_WITH_USAGE_S", 0.05)
    heard = await House(timeouts=Timeouts(idle_s=5.0)).heard("no-done-open")
    assert heard.text == CANONICAL
    assert heard.done
    assert heard.outcomes == ["success"]


async def test_the_record_rides_on_the_finish_chunk_and_usage_stays_inside_it():
    heard = await House().heard("ok")
    assert [chunk for chunk in heard.chunks if "usage" in chunk] == []
    assert heard.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert heard.metadata["usage"]["completion_tokens"] == len(WORDS)
    assert sum("metadata" in chunk for chunk in heard.chunks) == 1


async def test_the_record_rides_on_the_usage_chunk_when_usage_was_asked_for():
    heard = await House().heard("ok", stream_options={"include_usage": True})
    assert heard.chunks[-1]["choices"] == []
    assert heard.chunks[-1]["usage"]["completion_tokens"] == len(WORDS)
    assert heard.metadata["attempts"][0]["success"]


async def test_an_error_event_that_arrives_with_the_first_delta_still_falls_back():
    heard = await House().heard("error-20", "ok")
    assert heard.outcomes == ["in_band_error", "success"]
    assert heard.text == CANONICAL


async def test_a_stream_that_ended_before_its_first_delta_was_not_interrupted_for_the_client():
    with pytest.raises(Refusal) as refused:
        await House().stream("role-then-die", "role-then-die@b")
    assert (refused.value.status, refused.value.code) == (502, "upstream_error")


async def test_when_everything_fails_before_a_delta_the_client_gets_an_http_status():
    house = House()
    with pytest.raises(Refusal) as refused:
        await house.stream("role-then-die", "role-then-die@two")
    assert refused.value.status == 502
    assert [a["outcome"] for a in refused.value.document()["metadata"]["attempts"]] == ["truncated", "truncated"]
    assert house.same_as_the_upstreams_log(refused.value.record)


async def test_continuing_restarts_elsewhere_and_sends_only_what_is_missing():
    house = House(on_interrupt="continue")
    heard = await house.heard("cut-40", "ok")
    assert heard.text == CANONICAL
    assert heard.done
    assert heard.outcomes == ["truncated", "success"]
    assert house.same_as_the_upstreams_log(heard.record)


async def test_continuing_prefills_a_target_that_declares_it():
    prefill = target("prefill", declares=frozenset({Feature.PREFILL}))
    house = House(on_interrupt="continue", known=[prefill])
    heard = await house.heard("cut-40", "prefill")
    assert heard.text == CANONICAL
    assert house.upstream.journal.seen[1].document["messages"][-1]["role"] == "assistant"


async def test_a_prefill_that_is_refused_is_followed_by_a_restart():
    reject = target("prefill-reject", declares=frozenset({Feature.PREFILL}))
    heard = await House(on_interrupt="continue", known=[reject]).heard("cut-40", "prefill-reject")
    assert heard.text == CANONICAL
    assert heard.outcomes == ["truncated", "unsupported_param", "success"]


async def test_continuing_survives_a_second_cut():
    heard = await House(on_interrupt="continue").heard("cut-20", "cut-40", "ok")
    assert heard.text == CANONICAL
    assert heard.outcomes == ["truncated", "truncated", "success"]


async def test_a_restart_that_says_something_else_is_not_stitched():
    heard = await House(on_interrupt="continue").heard("cut-20", "bad-utf8")
    assert heard.outcomes == ["truncated", "other"]
    assert heard.errors[0]["code"] == "stream_interrupted"
    assert heard.text.split() == WORDS[:20]


async def test_a_tool_call_is_never_continued():
    heard = await House(on_interrupt="continue").heard("tool-cut", "ok")
    assert heard.outcomes == ["truncated"]
    assert heard.errors


async def test_a_client_that_stops_reading_cancels_the_upstream_at_once():
    house = House(gap_s=0.5)
    stream = await house.stream("ok")
    reading = asyncio.ensure_future(drained(stream))
    await asyncio.sleep(0.03)
    began = time.perf_counter()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.perf_counter() - began < 0.1
    assert house.upstream.journal.seen[0].client_gone
    assert stream.record.attempts[0].outcome is Outcome.CANCELLED_BY_CLIENT
    assert stream.record.status == 499
    assert house.router.health.in_flight() == {"scripted/ok": 0}


async def test_closing_before_the_end_is_a_cancellation_and_may_be_repeated():
    house = House(gap_s=0.5)
    stream = await house.stream("ok")
    stream.close()
    stream.close()
    assert stream.record.outcome is Outcome.CANCELLED_BY_CLIENT
    assert await stream.read() == b""


async def test_a_client_that_goes_before_the_first_delta_is_not_the_targets_fault():
    house = House(timeouts=Timeouts(first_token_s=5.0))
    opening = asyncio.ensure_future(house.stream("hang", "ok"))
    await asyncio.sleep(0.02)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert house.upstream.journal.models() == ["hang"]
    assert house.router.health.in_flight() == {"scripted/hang": 0}
    assert house.router.health.snapshot(0.0).get("scripted/hang") is None


async def test_library_users_get_chunks_and_an_exception_for_an_interruption():
    house = House()
    texts = [chunk["choices"][0]["delta"].get("content") async for chunk in (await house.stream("ok")).chunks()]
    assert "".join(text or "" for text in texts) == CANONICAL
    stream = await house.stream("cut-20")
    with pytest.raises(Refusal) as refused:
        [chunk async for chunk in stream.chunks()]
    assert refused.value.code == "stream_interrupted"


async def test_the_callers_first_token_limit_falls_back_and_spares_the_last_candidate():
    house = House()
    limit = {"ttft_timeout": "300ms"}
    heard = await house.heard("slow-25", "slow-13", fallback=limit)
    assert heard.outcomes == ["first_token_timeout", "success"]
    assert heard.text == CANONICAL
