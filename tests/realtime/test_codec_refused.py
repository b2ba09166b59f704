"""What a client gets wrong is refused with its place; nothing a client sends ever raises."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import protocol as p
from realtime.codec import Dialect

from .client_frames import FULL, decode, fault, update


@pytest.mark.parametrize(
    ("wire", "code", "param"),
    [
        ("{nope", "invalid_json", None),
        ("[]", "invalid_event", None),
        ({"event_id": "e"}, "missing_required_parameter", "type"),
        ({"type": "nope"}, "invalid_value", "type"),
        ({"type": 5}, "invalid_type", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
        ({"type": "session.update", "session": 5}, "invalid_type", "session"),
        ({"type": "input_audio_buffer.append", "audio": "***"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": 5}, "invalid_type", "audio"),
        ({"type": "input_audio_buffer.commit", "extra": 1}, "unknown_parameter", "extra"),
        ({"type": "response.cancel", "event_id": "e" * 513}, "string_above_max_length", "event_id"),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
            "integer_below_min_value",
            "audio_end_ms",
        ),
        ({"type": "conversation.item.create", "item": {"type": "nope"}}, "invalid_value", "item.type"),
        ({"type": "conversation.item.create", "item": {}}, "missing_required_parameter", "item.type"),
        (
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{}]}},
            "missing_required_parameter",
            "item.content[0].type",
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
            "object_above_max_properties",
            "response.metadata",
        ),
        (
            {"type": "response.create", "response": {"metadata": {"k" * 65: ""}}},
            "string_above_max_length",
            "response.metadata",
        ),
        ({"type": "response.create", "response": {"metadata": {"k": 1}}}, "invalid_type", "response.metadata.k"),
        ({"type": "response.create", "response": {"metadata": []}}, "invalid_type", "response.metadata"),
        ({"type": "response.create", "response": {"conversation": "x"}}, "invalid_value", "response.conversation"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(wire, code, param):
    assert fault(decode(wire)) == (code, param)


@pytest.mark.parametrize(
    ("image", "code"),
    [({}, "missing_required_parameter"), ({"image_url": "file:///etc/passwd"}, "invalid_value")],
)
def test_a_picture_comes_as_a_data_url_or_from_the_web(image, code):
    item = {"type": "message", "role": "user", "content": [{"type": "input_image", **image}]}
    refused = decode({"type": "conversation.item.create", "item": item})
    assert fault(refused) == (code, "item.content[0].image_url")


MCP = {"type": "mcp", "server_label": "s", "server_url": "https://tools.example/mcp"}


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"bogus": 1}, "unknown_parameter", "session.bogus"),
        ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"instructions": 1}, "invalid_type", "session.instructions"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": "audio"}, "invalid_type", "session.output_modalities"),
        ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
        ({"max_output_tokens": 4097}, "integer_above_max_value", "session.max_output_tokens"),
        ({"max_output_tokens": "lots"}, "invalid_value", "session.max_output_tokens"),
        ({"max_output_tokens": True}, "invalid_type", "session.max_output_tokens"),
        ({"audio": {"output": {"speed": 2}}}, "decimal_above_max_value", "session.audio.output.speed"),
        ({"audio": {"output": {"speed": True}}}, "invalid_type", "session.audio.output.speed"),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        ({"audio": {"input": {"format": "pcm16"}}}, "invalid_type", "session.audio.input.format"),
        (
            {"audio": {"input": {"turn_detection": {"type": "magic"}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "idle_timeout_ms": 6000}}}},
            "unknown_parameter",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": 1}}}},
            "invalid_type",
            "session.audio.input.turn_detection.create_response",
        ),
        (
            {"tools": [{"type": "mcp", "server_label": "s"}]},
            "missing_required_parameter",
            "session.tools[0].server_url",
        ),
        ({"tools": [{**MCP, "server_url": "ftp://x"}]}, "invalid_value", "session.tools[0].server_url"),
        ({"tools": [{**MCP, "server_label": ""}]}, "invalid_value", "session.tools[0].server_label"),
        ({"tools": [MCP, MCP]}, "invalid_value", "session.tools[1].server_label"),
        ({"tools": [{**MCP, "headers": {"a b": "c"}}]}, "invalid_value", "session.tools[0].headers"),
        ({"tools": [{**MCP, "authorization": "a\nb"}]}, "invalid_value", "session.tools[0].authorization"),
        ({"tools": [{**MCP, "connector_id": "connector_gmail"}]}, "invalid_value", "session.tools[0].connector_id"),
        ({"tools": [{**MCP, "tunnel_id": "t"}]}, "invalid_value", "session.tools[0].tunnel_id"),
        ({"tools": [{**MCP, "allowed_tools": "all"}]}, "invalid_type", "session.tools[0].allowed_tools"),
        ({"tools": [{**MCP, "allowed_tools": [1]}]}, "invalid_type", "session.tools[0].allowed_tools[0]"),
        ({"tools": [{**MCP, "require_approval": "maybe"}]}, "invalid_value", "session.tools[0].require_approval"),
        ({"tools": [{"name": "f", "parameters": 5}]}, "invalid_type", "session.tools[0].parameters"),
        ({"voice": "alloy"}, "unknown_parameter", "session.voice"),
        ({"prompt": {"id": "x", "variables": 5}}, "invalid_type", "session.prompt.variables"),
        ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
        ({"include": ["everything"]}, "invalid_value", "session.include[0]"),
        ({"include": [1]}, "invalid_type", "session.include[0]"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(session, code, param):
    assert fault(update({"type": "realtime", **session})) == (code, param)


def test_the_message_of_an_unknown_type_lists_what_there_is():
    message = decode({"type": "nope"}).fault.message
    assert message.startswith("Invalid value: 'nope'. Supported values are: 'session.update'")


def test_too_much_audio_in_one_event_is_refused():
    most = 15 * 1024 * 1024
    for size in (most + 1, most + 2, 22_000_000):
        audio = base64.b64encode(bytes(size)).decode()
        assert fault(decode({"type": "input_audio_buffer.append", "audio": audio})) == ("invalid_value", "audio")
    audio = base64.b64encode(bytes(most)).decode()
    assert type(decode({"type": "input_audio_buffer.append", "audio": audio})) is p.AppendAudio


def test_what_could_not_be_repeated_is_refused():
    deep = {}
    for _ in range(200):
        deep = {"a": [deep]}
    tools = [{"type": "function", "name": "look", "parameters": deep}]
    assert fault(update({"type": "realtime", "tools": tools})) == ("invalid_value", None)
    assert fault(decode("[" * 5000)) == ("invalid_json", None)
    assert fault(decode('{"type": "response.cancel", "event_id": "\\ud800"}')) == ("invalid_json", None)


def test_the_event_id_of_a_refused_event_is_kept():
    assert decode({"type": "nope", "event_id": "mine"}).event_id == "mine"
    assert decode({"type": "nope", "event_id": 7}).event_id is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted({name for fields in FULL.values() for name in fields} | {"event_id", "nope"})


@given(
    kind=st.sampled_from([*FULL, "nope"]),
    fields=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
    inside=st.dictionaries(
        st.sampled_from(["type", "audio", "tools", "output_modalities", "input", "id", "content", "role"]), JSON
    ),
    dialect=st.sampled_from(list(Dialect)),
)
@settings(max_examples=120, deadline=None)
def test_nothing_a_client_sends_ever_raises(kind, fields, inside, dialect):
    for name in ("session", "item", "response"):
        fields.setdefault(name, inside)
    assert isinstance(decode({"type": kind, **fields}, dialect), p.ClientEvent)
    assert isinstance(decode({"type": kind, **FULL.get(kind, {}), "session": inside}, dialect), p.ClientEvent)


@given(frame=st.binary(max_size=40) | st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_frame_ever_raises(frame):
    assert isinstance(decode(frame), p.ClientEvent)
