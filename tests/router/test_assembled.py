"""A first-token limit on a whole answer: a stream inside, one document outside, fallback until it is complete."""

import orjson
import pytest

from policies import Timeouts
from router.assembled import Answer
from router.upstreams.base import UpstreamFault
from router.upstreams.scripted import CANONICAL

from .house import House

LIMIT = {"ttft_timeout": "300ms"}
PATIENT = Timeouts(connect_s=1, first_token_s=5, idle_s=0.5, total_s=10, answer_s=5)


def outcomes(completion):
    return [attempt["outcome"] for attempt in completion.document["metadata"]["attempts"]]


async def test_an_answer_that_takes_long_is_waited_for_once_its_first_token_is_there():
    house = House(gap_s=0.5, timeouts=PATIENT)
    completion = await house.complete("ok", "500", fallback=LIMIT)
    document = completion.document
    [attempt] = document["metadata"]["attempts"]
    assert attempt["duration_ms"] > 450 > attempt["time_to_first_token_ms"]
    assert document["object"] == "chat.completion"
    assert document["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": CANONICAL},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert document["usage"]["completion_tokens"] == 60
    assert document["model"] == "scripted/ok"
    assert house.upstream.journal.seen[0].stream


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("hang", "first_token_timeout"),
        ("slow-first-25", "first_token_timeout"),
        ("500", "http_5xx"),
        ("html", "malformed_response"),
        ("error-first", "in_band_error"),
        ("error-20", "in_band_error"),
        ("cut-20", "truncated"),
        ("finless-20", "truncated"),
        ("finless-0", "empty_response"),
        ("stall-20", "idle_timeout"),
        ("huge-event", "malformed_response"),
    ],
)
async def test_until_the_answer_is_complete_every_fault_goes_on_to_the_next(fault, outcome):
    house = House(timeouts=PATIENT)
    completion = await house.complete(fault, "ok", "ok@b", fallback=LIMIT)
    assert outcomes(completion) == [outcome, "success"]
    assert completion.document["choices"][0]["message"]["content"] == CANONICAL
    assert house.same_as_the_upstreams_log(completion.record)


async def test_the_last_candidate_is_asked_as_ever_and_spared_the_limit():
    house = House(timeouts=PATIENT)
    completion = await house.complete("hang", "slow-25", fallback=LIMIT)
    assert outcomes(completion) == ["first_token_timeout", "success"]
    assert not house.upstream.journal.seen[1].stream


async def test_a_missing_done_and_malformed_events_do_not_matter(monkeypatch):
    monkeypatch.setattr("router.assembled.GRACE_S", 0.05)
    for oddity in ("no-done-open", "no-done-close", "malformed-20"):
        completion = await House(timeouts=PATIENT).complete(oddity, "ok", fallback=LIMIT)
        assert outcomes(completion) == ["success"]


async def test_the_deadline_holds_in_the_middle_of_an_answer():
    house = House(gap_s=2.5, timeouts=Timeouts(connect_s=1, first_token_s=1, idle_s=1, total_s=0.6, answer_s=1))
    with pytest.raises(Exception, match="deadline passed") as refused:
        await house.complete("ok", "ok@b", fallback=LIMIT)
    assert refused.value.status == 504


def test_parts_of_an_answer_find_their_places():
    answer = Answer()

    def chunk(delta, index=0, finish=None, **more):
        choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
        return orjson.dumps({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})

    def call(index, arguments, **more):
        return {"tool_calls": [{"index": index, **more, "function": {"arguments": arguments}}]}

    answer.take([chunk({"role": "assistant", "content": None, "refusal": None}), b"[]", b"no json"])
    assert not answer.speaking
    answer.take(
        [
            chunk({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f"}}]}),
            chunk(call(0, '{"x"')),
            chunk(call(1, "{}", id="b", type="function")),
            chunk(call(0, ": 1}")),
            chunk({"content": "se"}, 1, logprobs={"content": [{"token": "se"}]}),
            chunk({"content": "cond", "annotations": [{"type": "url_citation"}]}, 1, logprobs={"content": [{"t": 1}]}),
            chunk({}, 0, "tool_calls"),
            chunk({}, 1, "stop"),
            orjson.dumps({"choices": [], "usage": {"total_tokens": 3}, "obfuscation": "xx"}),
            b"[DONE]",
        ]
    )
    assert answer.done
    assert orjson.loads(answer.body()) == {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
                        {"id": "b", "type": "function", "function": {"arguments": "{}"}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            },
            {
                "index": 1,
                "message": {"role": "assistant", "content": "second", "annotations": [{"type": "url_citation"}]},
                "logprobs": {"content": [{"token": "se"}, {"t": 1}]},
                "finish_reason": "stop",
            },
        ],
        "usage": {"total_tokens": 3},
    }


def test_an_error_event_is_a_fault():
    with pytest.raises(UpstreamFault, match="broken"):
        Answer().take([b'{"error": {"message": "broken"}}'])
