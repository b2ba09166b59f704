"""Bodies are read strictly and refused with the place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import Refusal
from router.proxy.documents import check_chat, parse

OK = {"model": "demo/fast", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no body"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,\n "b": }', "line 2"),
        (b"[" * 100_000, "depth"),
        (b'{"a":' * 100_000, "depth"),
        (b'{"a": "\\ud83d"}', "surrogate"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"a": NaN}', "column"),
        (b'{"a": 1e999}', "infinity"),
        (b'{"a": ' + b"9" * 5000 + b"}", "infinity"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "is a text"),
        (b"null", "is null"),
        (b"{}{}", "after document"),
    ],
)
def test_a_body_that_is_not_an_object_is_refused_with_its_place(body, word):
    with pytest.raises(Refusal, match=word) as caught:
        parse(body)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": " "}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, 5]}]}, "messages[0].content[1]"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"user": 5}, "user"),
        ({"user": "x" * 513}, "user"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": -1}, "n"),
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{}, "x"]}, "tools[1]"),
        ({"extra_body": {"tools": [None]}}, "extra_body.tools[0]"),
        ({"extra_body": []}, "extra_body"),
        ({"extra_body": {"models": "x"}}, "extra_body.models"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"a": {"b": 1}}}, "metadata.a"),
        ({"metadata": {"a": [[1]]}}, "metadata.a"),
        ({"metadata": {str(n): 1 for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: 1}}, "metadata"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"extra_body": {"metadata": {"a": {"b": 1}}}}, "extra_body.metadata.a"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change, param):
    with pytest.raises(Refusal) as caught:
        check_chat({**OK, **change})
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_key_that_is_written_twice_has_its_last_value():
    assert parse(b'{"model": "a", "model": "b", "n": {"x": 1, "x": 2}}') == {"model": "b", "n": {"x": 2}}


def test_metadata_at_its_limits_passes():
    metadata = {
        "k" * 64: "v" * 512,
        "n": 1,
        "b": True,
        "none": None,
        "tags": ["a", 1],
        **{str(n): n for n in range(11)},
    }
    assert check_chat({**OK, "metadata": metadata, "unknown_field": {"deep": [1]}, "temperature": None}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["model", "messages", "stream", "user", "metadata", "extra_body", "n", "max_tokens", "tools"])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=9))
def test_no_document_raises_anything_but_a_refusal(document):
    try:
        check_chat(document)
        accepted = isinstance(document["model"], str)
    except Refusal as refusal:
        accepted = refusal.status == 400 and refusal.param is not None
    assert accepted


@pytest.mark.parametrize("depth", [260, 900])
def test_what_could_not_be_written_again_is_refused(depth):
    with pytest.raises(Refusal) as refused:
        parse(b'{"odd": ' + b"[" * depth + b"]" * depth + b"}")
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")
    assert "deep" in refused.value.message


def test_many_brackets_side_by_side_are_no_depth():
    assert len(parse(b'{"odd": [' + b"[]," * 1000 + b"[]]}")["odd"]) == 1001
    assert parse(b'{"odd": ' + b"[" * 240 + b"]" * 240 + b"}")
