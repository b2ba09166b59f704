"""Chunks in, blocks out: every change once, in order, whatever a provider sends."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.proxy.dialects.blocks import Answer, Closed, Grew, Noted, Opened, count, sse


def chunk(finish=None, index=0, logprobs=None, **delta):
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {"model": "demo/fast", "choices": [choice]}


def call(index=0, call_id=None, name=None, arguments=""):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": call_id} if call_id else {})


def told(*chunks):
    """Each change as (verb, place, piece), with what was open at the end closed."""
    answer = Answer("seed")
    changes = [change for one in chunks for change in answer.take(one)] + list(answer.end())
    return answer, [(type(change).__name__, change.block.index, getattr(change, "piece", None)) for change in changes]


def test_text_is_one_block():
    answer, changes = told(chunk(role="assistant", content=""), chunk(content="a"), chunk(content="b", finish="stop"))
    assert changes == [("Opened", 0, None), ("Grew", 0, "a"), ("Grew", 0, "b"), ("Closed", 0, None)]
    assert (answer.blocks[0].text, answer.model, answer.finish_reason, answer.calls) == (
        "ab",
        "demo/fast",
        "stop",
        False,
    )


def test_what_differs_is_another_block_and_closes_the_one_before():
    answer, changes = told(
        chunk(reasoning_content="hm"), chunk(reasoning="m"), chunk(content="a"), chunk(refusal="no"), chunk(content="b")
    )
    assert [block.kind for block in answer.blocks] == ["reasoning", "text", "refusal", "text"]
    assert answer.blocks[0].text == "hmm"
    verbs = [(verb, place) for verb, place, _ in changes if verb != "Grew"]
    assert verbs == [(verb, n) for n in range(4) for verb in ("Opened", "Closed")]


def test_calls_follow_each_other():
    answer, changes = told(
        chunk(tool_calls=[call(0, "c1", "f")]),
        chunk(tool_calls=[call(0, arguments='{"a"')]),
        chunk(tool_calls=[call(0, arguments=":1}")]),
        chunk(tool_calls=[call(1, "c2", "g", "{}")], finish="tool_calls"),
    )
    assert [(block.call_id, block.name, block.text) for block in answer.blocks] == [
        ("c1", "f", '{"a":1}'),
        ("c2", "g", "{}"),
    ]
    assert changes.index(("Closed", 0, None)) < changes.index(("Opened", 1, None))
    assert answer.calls


def test_pieces_of_calls_may_be_mixed():
    answer, changes = told(
        chunk(tool_calls=[call(0, "c1", "f", '{"a"'), call(1, "c2", "g", '{"b"')]),
        chunk(tool_calls=[call(0, arguments=":1}"), call(1, arguments=":2}")]),
        chunk(content="done"),
        chunk(tool_calls=[call(0, arguments=" late")]),
    )
    assert [block.text for block in answer.blocks] == ['{"a":1}', '{"b":2}', "done"]
    assert [place for verb, place, _ in changes if verb == "Closed"] == [0, 1, 2]


def test_a_provider_may_number_every_call_0_and_a_name_may_come_late():
    answer, _ = told(
        chunk(tool_calls=[call(0, "c1", "f", "{}")]),
        chunk(tool_calls=[call(0, "c2", "g", "{}")]),
        chunk(tool_calls=[call(5, "c3")]),
        chunk(tool_calls=[call(5, name="h", arguments="{}")]),
    )
    assert [(block.call_id, block.name) for block in answer.blocks] == [("c1", "f"), ("c2", "g"), ("c3", "h")]


def test_a_whole_message_is_one_large_chunk():
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "he"}, {"type": "text", "text": "llo"}, {"type": "text", "text": 3}, 4],
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g"}}],
    }
    answer, _ = told({"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    assert [(block.kind, block.text, block.call_id) for block in answer.blocks] == [
        ("text", "hello", ""), ("call", '{"a":1}', "c1"), ("call", "", "call_seed02"),
    ]  # fmt: skip


def test_only_the_first_choice_counts():
    answer, _ = told({"choices": [chunk(content="b", index=1)["choices"][0], chunk(content="a")["choices"][0]]})
    assert [block.text for block in answer.blocks] == ["a"]


def test_citations_and_probabilities_belong_to_the_text():
    note, token = {"type": "url_citation"}, {"token": "a", "logprob": -0.1}
    answer = Answer("s")
    changes = list(answer.take(chunk(annotations=[note])))
    assert changes == []
    changes = list(answer.take(chunk(content="a", annotations=[note], logprobs={"content": [token]})))
    assert [type(change) for change in changes] == [Opened, Grew, Noted]
    assert (answer.blocks[0].annotations, answer.blocks[0].logprobs) == ([note], [token])
    assert [type(change) for change in answer.end()] == [Closed]
    assert list(answer.end()) == []


def test_usage_and_report_are_kept():
    answer, changes = told(
        {"usage": {"prompt_tokens": 1}, "metadata": {"attempts": []}, "choices": []}, {"usage": None}
    )
    assert (answer.usage, answer.report, changes) == ({"prompt_tokens": 1}, {"attempts": []}, [])


def test_arguments_nested_too_deep_are_passed_over():
    deep = {}
    for _ in range(400):
        deep = {"a": deep}
    answer, _ = told(chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": deep}}]))
    assert answer.blocks[0].text == ""


ODD = st.sampled_from([None, 0, 7, True, "", "x", [], ["x"], [{"text": "p"}], {}, {"name": "f"}, {"url_citation": 3}])
CALL = st.fixed_dictionaries(
    {},
    optional={
        "index": ODD | st.integers(0, 2),
        "id": ODD | st.sampled_from(["a", "b"]),
        "function": ODD
        | st.fixed_dictionaries(
            {}, optional={"name": ODD, "arguments": ODD | st.sampled_from(["{", '"a":1', "}", "{}"])}
        ),
    },
)
DELTA = st.dictionaries(
    st.sampled_from(["content", "reasoning", "reasoning_content", "refusal", "annotations", "function_call"]), ODD
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, None, "0"]),
        "finish_reason": ODD,
        "logprobs": ODD | st.just({"content": [{"token": "x"}, 3]}),
        "delta": ODD
        | st.tuples(DELTA, ODD | st.lists(CALL, max_size=3)).map(lambda two: two[0] | {"tool_calls": two[1]}),
    },
)
CHUNK = st.fixed_dictionaries({"choices": ODD | st.lists(CHOICE, max_size=2)}, optional={"model": ODD, "usage": ODD})


def test_an_older_function_call_is_a_call():
    answer, _ = told(chunk(function_call={"name": "f", "arguments": "{"}), chunk(function_call={"arguments": "}"}))
    assert [(block.name, block.text) for block in answer.blocks] == [("f", "{}")]


@given(st.lists(CHUNK, max_size=6))
def test_nothing_a_provider_sends_raises_and_every_block_opens_once_and_closes_once(chunks):
    answer = Answer("seed")
    changes = [change for one in chunks for change in answer.take(one)] + list(answer.end())
    opened = [change.block.index for change in changes if isinstance(change, Opened)]
    closed = [change.block.index for change in changes if isinstance(change, Closed)]
    assert opened == list(range(len(answer.blocks)))
    assert sorted(closed) == opened
    grown = {block.index: "" for block in answer.blocks}
    for change in changes:
        if isinstance(change, Grew):
            grown[change.block.index] += change.piece
    assert grown == {block.index: block.text for block in answer.blocks}


@pytest.mark.parametrize(
    ("usage", "names", "expected"),
    [
        ({"a": 3}, ("a",), 3),
        ({"a": -3}, ("a",), 0),
        ({"a": "3"}, ("a",), 0),
        ({}, ("a",), 0),
        ({"a": {"b": 4, "c": 0}}, ("a", "c", "b"), 4),
        ({"a": 4}, ("a", "b"), 0),
    ],
)
def test_odd_counts_are_0(usage, names, expected):
    assert count(usage, *names) == expected


def test_an_event_has_a_name_and_one_line_of_json():
    kind, line, *rest = sse("x.y", {"a": "line\nend"}).split(b"\n")
    assert (kind, orjson.loads(line.removeprefix(b"data: ")), rest) == (b"event: x.y", {"a": "line\nend"}, [b"", b""])
