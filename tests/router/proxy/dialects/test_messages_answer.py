"""A chat's answer as a message and as its events: every one valid under the SDK's own types, in their order."""

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from router.proxy.dialects import MessageAnswer
from router.proxy.dialects.messages_answer import in_envelope

from .spoken import INTERRUPTED, LONG, MESSAGE, REPORT, chunk, completion, events, last, told

EVENT = TypeAdapter(RawMessageStreamEvent)
USED = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 1,
    "cache_read_input_tokens": 6,
    "output_tokens": 4,
}


def answer(*, thinks=False, warnings=()):
    return MessageAnswer(thinks=thinks, warnings=list(warnings), seed="5eed")


def checked(stream):
    for event in stream:
        EVENT.validate_python(event)
    return stream


def test_a_completion_is_a_message():
    message = answer(warnings=[{"code": "x", "message": "y"}]).whole(completion("tool_calls", **MESSAGE))
    Message.model_validate(message, strict=True)
    assert message["content"] == [
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]
    assert (message["id"], message["model"], message["stop_reason"]) == ("msg_5eed", "demo/fast", "tool_use")
    assert message["usage"] == USED
    assert message["metadata"] == REPORT | {"warnings": [{"code": "x", "message": "y"}]}


def test_a_stream_tells_the_same_in_order():
    stream = checked(told(answer(), *LONG))
    block = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    assert [event["type"] for event in stream] == [
        "message_start", *block, *block, *block[:2], block[3], "message_delta", "message_stop",
    ]  # fmt: skip
    assert [event["index"] for event in stream if "index" in event] == [0] * 4 + [1] * 4 + [2] * 3
    assert [event["delta"] for event in stream if event["type"] == "content_block_delta"] == [
        {"type": "text_delta", "text": "he"},
        {"type": "text_delta", "text": "llo"},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
        {"type": "input_json_delta", "partial_json": "{}"},
    ]
    begun = [event["content_block"] for event in stream if event["type"] == "content_block_start"]
    assert begun[:2] == [{"type": "text", "text": ""}, {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]
    assert stream[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": USED,
        "metadata": REPORT,
    }


def test_thinking_is_shown_to_those_who_asked_for_it():
    stream = checked(told(answer(thinks=True), *LONG))
    assert stream[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert stream[2]["delta"] == {"type": "thinking_delta", "thinking": "hm"}
    shown = answer(thinks=True).whole(completion("tool_calls", **MESSAGE))["content"][0]
    assert shown == {"type": "thinking", "thinking": "hmm", "signature": ""}


@pytest.mark.parametrize(
    ("finish", "said", "expected"),
    [
        ("stop", {"content": "a"}, "end_turn"),
        ("length", {"content": "a"}, "max_tokens"),
        ("content_filter", {"content": "a"}, "refusal"),
        ("stop", {"refusal": "no"}, "refusal"),
        ("stop", {"tool_calls": MESSAGE["tool_calls"]}, "tool_use"),
    ],
)
def test_reasons_to_stop(finish, said, expected):
    assert answer().whole(completion(finish, **said))["stop_reason"] == expected


def test_a_refusal_is_text_and_citations_are_left_out():
    stream = checked(told(answer(), chunk(content="a", annotations=[{"url": "x"}]), chunk(refusal="no"), chunk("stop")))
    texts = [event["delta"]["text"] for event in stream if event["type"] == "content_block_delta"]
    assert texts == ["a", "no"]
    assert "metadata" not in stream[-2]
    assert stream[-2]["usage"]["output_tokens"] == 0


@pytest.mark.parametrize(
    ("arguments", "expected"), [("", {}), ('{"a"', {"_raw": '{"a"'}), ("[1]", {"_raw": "[1]"}), ('{"a":1}', {"a": 1})]
)
def test_arguments_that_are_no_object_stay_to_be_seen(arguments, expected):
    calls = [{"id": "c", "function": {"name": "f", "arguments": arguments}}]
    assert answer().whole(completion(tool_calls=calls))["content"][0]["input"] == expected


def test_a_break_ends_with_an_error():
    telling = answer()
    stream = events(telling.take(chunk(content="he")) + telling.fail(INTERRUPTED, 502))
    assert stream[-1] == {"type": "error", "error": {"type": "api_error", "message": "cut"}, "metadata": REPORT}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"),
     (405, "invalid_request_error"), (413, "request_too_large"), (429, "rate_limit_error"), (500, "api_error"),
     (503, "overloaded_error"), (504, "timeout_error")],
)  # fmt: skip
def test_errors_have_anthropics_types(status, kind):
    bare = {"error": INTERRUPTED["error"]}
    assert in_envelope(bare, status, "req_1") == {
        "type": "error", "error": {"type": kind, "message": "cut"}, "request_id": "req_1",
    }  # fmt: skip


def test_an_empty_stream_still_has_its_beginning_and_its_end():
    assert [event["type"] for event in checked(told(answer()))] == ["message_start", "message_delta", "message_stop"]
    assert last()["metadata"] == REPORT
