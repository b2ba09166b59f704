"""Requests with something odd in one place: read, or refused with 400 that names a place; nothing else ever happens."""

import copy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.proxy.dialects import AskedResponse, ResponseAnswer, count_tokens, read_message, read_response
from router.proxy.documents import check_chat
from router.refusal import Refusal

from .spoken import completion

TEXT = {"type": "text", "text": "a"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
RESPONSE = {
    "model": "demo/fast",
    "instructions": "be brief",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"},
                                     {"type": "input_file", "file_data": "x"},
                                     {"type": "input_audio", "input_audio": {}}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "a"}]},
    ],
    "tools": [FUNCTION, {"type": "custom", "name": "c", "format": {"type": "grammar", "definition": "g"}},
              {"type": "namespace", "name": "n", "tools": [FUNCTION]}, {"type": "web_search"}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [FUNCTION]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
    "reasoning": {"effort": "low"},
    "include": ["message.output_text.logprobs"],
    "max_output_tokens": 9,
    "metadata": {"a": "b"},
    "user": "u",
    "stream": True,
}  # fmt: skip
SOURCE = {"type": "base64", "media_type": "image/png", "data": "AA"}
MESSAGE = {
    "model": "demo/fast",
    "max_tokens": 9,
    "system": [TEXT],
    "messages": [
        {"role": "user", "content": [TEXT, {"type": "image", "source": SOURCE}, {"type": "document", "source": SOURCE},
                                     {"type": "search_result", "title": "t", "source": "s", "content": [TEXT]}]},
        {"role": "assistant", "content": [TEXT, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [TEXT]}]},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {}, "strict": True}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled"},
    "output_config": {"format": {"type": "json_schema", "schema": {}}},
    "stop_sequences": ["x"],
    "metadata": {"user_id": "u"},
    "stream": True,
}  # fmt: skip
ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, "", "odd", [], [None], ["x"], [[]], [{}], {}, {"type": 3}, {"type": "odd"}]
)


def places(node, path=()):
    """Every place in a document."""
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def changed(document, path, value):
    document = copy.deepcopy(document)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return document


def heard(read, document):
    """What became of it."""
    try:
        asked = read(document)
        check_chat(asked.chat)
    except Refusal as refusal:
        return refusal
    return asked


@pytest.mark.parametrize(
    ("read", "whole"), [(read_response, RESPONSE), (read_message, MESSAGE)], ids=["responses", "messages"]
)
@given(data=st.data())
def test_what_is_odd_is_read_or_refused_by_name(read, whole, data):
    path = data.draw(st.sampled_from([path for path in places(whole) if path]))
    said = heard(read, changed(whole, path, data.draw(ODD)))
    if isinstance(said, Refusal):
        assert (said.status, bool(said.param)) == (400, True)
        return
    assert orjson.dumps(said.chat)
    assert count_tokens(said.chat) > 0
    if isinstance(said, AskedResponse):
        answer = ResponseAnswer(said, seed="s", created_s=1)
        assert orjson.dumps(answer.whole(completion(content="a")))


@pytest.mark.parametrize(
    ("read", "whole"), [(read_response, RESPONSE), (read_message, MESSAGE)], ids=["responses", "messages"]
)
def test_the_whole_ones_are_read(read, whole):
    check_chat(read(whole).chat)
