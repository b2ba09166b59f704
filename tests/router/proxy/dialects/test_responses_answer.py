"""A chat's answer as a response and as its events: every one valid under the SDK's own types, in their order."""

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from router.proxy.dialects import ResponseAnswer, read_response
from router.proxy.dialects.responses_parts import free_text

from .spoken import INTERRUPTED, LONG, MESSAGE, REPORT, call, chunk, completion, events, last, told

EVENT = TypeAdapter(ResponseStreamEvent)
ASKED = {"model": "demo/fast", "input": "hi", "metadata": {"a": "b"}, "temperature": 0.5}
IGNORED = {"code": "fields_ignored", "message": "odd: not known here, not passed on"}
OUTPUT = [("reasoning", "hmm"), ("message", "hello"), ("function_call", '{"a":1}'), ("function_call", "{}")]


def answer(**more):
    return ResponseAnswer(read_response(ASKED | more), seed="5eed", created_s=17)


def checked(stream):
    """The events, each held against the SDK's types and numbered without a gap."""
    for number, event in enumerate(stream):
        EVENT.validate_python(event)
        assert event["sequence_number"] == number
    return stream


def spoken(response):
    def text(item):
        return item.get("arguments") or (item.get("content") or item["summary"])[0].get("text")

    return [(item["type"], text(item)) for item in response["output"]]


def kinds(stream):
    return [event["type"].removeprefix("response.") for event in stream]


def test_a_completion_is_a_response():
    response = answer(odd=1).whole(completion("tool_calls", **MESSAGE))
    Response.model_validate(response, strict=True)
    assert spoken(response) == OUTPUT
    assert (response["id"], response["created_at"], response["status"]) == ("resp_5eed", 17, "completed")
    assert (response["model"], response["metadata"], response["temperature"]) == ("demo/fast", {"a": "b"}, 0.5)
    assert response["usage"] == {
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 1},
        "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14,
    }  # fmt: skip
    assert response["routing"] == REPORT | {"warnings": [IGNORED]}
    assert len({item["id"] for item in response["output"]}) == 4


def test_a_stream_tells_the_same_in_order():
    stream = checked(told(answer(), *LONG))
    item = ["output_item.added", "output_item.done"]
    text = ["content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done"]
    summary = "reasoning_summary_"
    thought = [summary + k for k in ("part.added", "text.delta", "text.delta", "text.done", "part.done")]
    arguments = ["function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done"]
    assert kinds(stream) == [
        "created", "in_progress",
        item[0], *thought, item[1],
        item[0], *text, item[1],
        item[0], *arguments, item[1],
        item[0], *arguments[1:], item[1],
        "completed",
    ]  # fmt: skip
    final = stream[-1]["response"]
    whole = answer().whole(completion("tool_calls", **MESSAGE))
    assert final == whole
    assert stream[-1]["routing"] == REPORT
    assert "routing" not in stream[0]["response"]
    assert [event["item"] for event in stream if event["type"].endswith("item.done")] == final["output"]
    assert {event["item"]["id"] for event in stream if event["type"].endswith("item.added")} == {
        item["id"] for item in final["output"]
    }


def test_an_item_begins_empty():
    stream = told(answer(), *LONG)
    begun = [event["item"] for event in stream if event["type"].endswith("item.added")]
    assert [item.get("content", item.get("summary", item.get("arguments"))) for item in begun] == [[], [], "", ""]
    assert [item.get("status") for item in begun] == [None, *["in_progress"] * 3]
    parts = [event["part"]["text"] for event in stream if event["type"].endswith("part.added")]
    assert parts == ["", ""]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_cut_short_is_incomplete(finish, reason):
    stream = checked(told(answer(), chunk(content="a"), chunk(finish), last(None)))
    final = stream[-1]["response"]
    assert (stream[-1]["type"], final["status"], final["usage"]) == ("response.incomplete", "incomplete", None)
    assert (final["incomplete_details"], final["output"][0]["status"]) == ({"reason": reason}, "incomplete")
    assert answer().whole(completion(finish, content="a"))["incomplete_details"] == {"reason": reason}
    assert answer().whole(completion(finish, content=""))["output"] == []


def test_a_refusal_is_a_part():
    stream = checked(told(answer(), chunk(refusal="no"), chunk("stop"), last()))
    assert "refusal.delta" in kinds(stream)
    assert "refusal.done" in kinds(stream)
    assert stream[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_probabilities_and_citations_are_told():
    rival = {"token": "b", "logprob": -2, "bytes": None}
    tokens = {"content": [{"token": "é", "logprob": -0.5, "top_logprobs": [rival, 3]}, {"token": "x", "logprob": "?"}]}
    note = {
        "type": "url_citation",
        "url_citation": {"url": "https://x", "title": "t", "start_index": 0, "end_index": 1},
    }
    stream = checked(
        told(
            answer(),
            chunk(content="éx", logprobs=tokens, annotations=[note, {"url": "https://y"}]),
            chunk("stop"),
            last(),
        )
    )
    part = stream[-1]["response"]["output"][0]["content"][0]
    assert part["logprobs"][0] == {
        "token": "é", "logprob": -0.5, "bytes": [195, 169],
        "top_logprobs": [{"token": "b", "logprob": -2.0, "bytes": [98]}],
    }  # fmt: skip
    assert part["logprobs"][1]["logprob"] == 0.0
    assert [(note["url"], note["title"], note["end_index"]) for note in part["annotations"]] == [
        ("https://x", "t", 1), ("https://y", "", 0),
    ]  # fmt: skip
    added = [event["annotation_index"] for event in stream if event["type"].endswith("annotation.added")]
    assert added == [0, 1]


def test_a_break_ends_with_what_there_is():
    telling = answer()
    stream = checked(events(telling.take(chunk(content="he")) + telling.fail(INTERRUPTED, 502)))
    final = stream[-1]["response"]
    assert (stream[-1]["type"], final["error"]) == ("response.failed", {"code": "server_error", "message": "cut"})
    assert (spoken(final), final["output"][0]["status"]) == ([("message", "he")], "incomplete")
    assert final["routing"] == stream[-1]["routing"] == REPORT


def test_a_refusal_after_the_first_ping_is_a_failed_response():
    envelope = {"error": {"message": "slow down", "type": "t", "param": None, "code": "c"}}
    stream = checked(events(answer().fail(envelope, 429)))
    assert kinds(stream) == ["created", "in_progress", "failed"]
    assert stream[-1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "slow down"}
    assert "routing" not in stream[-1]


def test_an_empty_stream_still_has_its_beginning_and_its_end():
    assert kinds(checked(told(answer()))) == ["created", "in_progress", "completed"]


def test_tools_are_called_by_the_names_the_caller_knows():
    tools = [
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "find"}]},
    ]
    calls = [call(0, "patch", '{"input":"a'), call(1, "crm__find", "{}"), call(2, "other", "{}")]
    rest = [call(0, arguments='b"}')]
    stream = checked(told(answer(tools=tools), chunk(tool_calls=calls), chunk(tool_calls=rest), chunk("tool_calls")))
    output = stream[-1]["response"]["output"]
    assert [(item["type"], item["name"], item.get("namespace")) for item in output] == [
        ("custom_tool_call", "patch", None), ("function_call", "find", "crm"), ("function_call", "other", None),
    ]  # fmt: skip
    assert (output[0]["input"], output[0]["id"]) == ("ab", "ctc_5eed00")
    kinds_of_first = [kind for kind in kinds(stream) if kind.startswith("custom_tool_call_input")]
    assert kinds_of_first == ["custom_tool_call_input.delta", "custom_tool_call_input.done"]
    done = [event["name"] for event in stream if event["type"].endswith("arguments.done")]
    assert done == ["find", "other"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", ""), ('{"input":"a"}', "a"), ("[1]", "[1]"), ('{"input":3}', '{"input":3}'), ("{", "{")],
)
def test_free_text_of_another_shape_stays_as_it_is(arguments, expected):
    assert free_text(arguments) == expected
