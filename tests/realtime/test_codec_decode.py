"""Every event of a client is understood or refused with its place; nothing a client sends ever raises."""

import base64
import json
import types
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import realtime as sdk

from realtime import protocol as p
from realtime.codec import Codec, Dialect, Refusal, read_session, usual_audio

from .wire_shapes import SCHEMA, alternatives

AUDIO = base64.b64encode(bytes(480)).decode()
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
FULL = {
    "session.update": {
        "session": {
            "type": "realtime",
            "model": "m",
            "instructions": "be brief",
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "tools": [{"type": "function", "name": "look", "description": "", "parameters": {"type": "object"}}],
            "tool_choice": {"type": "function", "name": "look"},
            "tracing": "auto",
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 9}},
            "prompt": None,
            "include": ["item.input_audio_transcription.logprobs"],
            "parallel_tool_calls": True,
            "reasoning": {"effort": "low"},
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "whisper-1", "language": "en"},
                    "noise_reduction": {"type": "near_field"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.4, "idle_timeout_ms": 6000},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "marin"}, "speed": 1.1},
            },
        }
    },
    "input_audio_buffer.append": {"audio": AUDIO},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "output_audio_buffer.clear": {},
    "conversation.item.create": {"item": ITEM, "previous_item_id": "root"},
    "conversation.item.retrieve": {"item_id": "item_1"},
    "conversation.item.delete": {"item_id": "item_1"},
    "conversation.item.truncate": {"item_id": "item_1", "content_index": 0, "audio_end_ms": 100},
    "response.create": {
        "response": {
            "conversation": "none",
            "input": [{"type": "item_reference", "id": "item_1"}, ITEM],
            "instructions": "sum up",
            "metadata": {"topic": "sum"},
            "output_modalities": ["text"],
            "max_output_tokens": 100,
            "tool_choice": "none",
            "tools": [],
            "audio": {"output": {"format": {"type": "audio/pcma"}, "voice": "cedar"}},
        }
    },
    "response.cancel": {"response_id": "resp_1"},
}
ITEMS = [
    ITEM,
    {"type": "message", "role": "system", "id": "s", "content": [{"type": "input_text", "text": "be kind"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "hello"}]},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_audio", "audio": AUDIO},
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        ],
    },
    {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c", "status": "completed"},
    {"type": "function_call", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "blue"},
    {"type": "mcp_approval_response", "id": "m1", "approval_request_id": "r", "approve": True},
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
    {"type": "mcp_call", "id": "m2", "arguments": "{}", "name": "n", "server_label": "s"},
    {"type": "mcp_approval_request", "id": "m3", "arguments": "{}", "name": "n", "server_label": "s"},
]


def decode(wire, dialect=Dialect.GA):
    codec = Codec(dialect, event_ids=lambda: "event_1")
    return codec.decode(wire if isinstance(wire, str | bytes) else json.dumps(wire), at_ms=5.0)


def update(session, dialect=Dialect.GA):
    return decode({"type": "session.update", "session": session}, dialect)


def fault(event):
    assert isinstance(event, p.Malformed), event
    return event.fault.code, event.fault.param


def test_every_client_event_of_the_field_list_is_understood():
    assert set(FULL) == set(SCHEMA["client_events"])
    for kind, fields in FULL.items():
        event = decode({"type": kind, "event_id": "e1", **fields})
        assert not isinstance(event, p.Malformed), event
        assert (event.event_id, event.at_ms) == ("e1", 5.0)


def test_every_field_of_the_field_list_may_be_null_or_absent_where_it_is_optional():
    for kind, model in SCHEMA["client_events"].items():
        wire = {"type": kind, **{name: FULL[kind][name] for name in model["required"] if name != "type"}}
        assert not isinstance(decode(wire), p.Malformed)
        wire |= dict.fromkeys(model["optional"])
        assert not isinstance(decode(wire), p.Malformed)


def test_every_field_of_a_session_and_of_a_response_is_known():
    known = {
        "realtime_session_create_request.RealtimeSessionCreateRequest": "session",
        "realtime_response_create_params.RealtimeResponseCreateParams": "response",
    }
    for model, name in known.items():
        for field in SCHEMA["models"][model]["fields"]:
            wire = {"type": "realtime", field: None} if name == "session" else {field: None}
            wire = {**wire, "type": "realtime"} if name == "session" else wire
            kind = "session.update" if name == "session" else "response.create"
            assert not isinstance(decode({"type": kind, name: wire}), p.Malformed), (model, field)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["type"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_every_kind_of_item_is_understood(item, dialect):
    event = decode({"type": "conversation.item.create", "item": item}, dialect)
    assert isinstance(event, p.CreateItem)
    assert event.item.id == item.get("id", "")


def test_a_session_update_becomes_a_patch_in_our_words():
    patch = update(FULL["session.update"]["session"]).patch
    settings = p.SessionSettings().patched(patch)
    assert (settings.voice, settings.output_format) == ("marin", p.AudioFormat("ulaw", 8000))
    assert settings.turn_detection == p.TurnDetection(threshold=0.4, idle_timeout_ms=6000)
    assert settings.truncation == p.Retention(0.8, 9)
    assert settings.max_output_tokens is None
    assert settings.transcription == {"model": "whisper-1", "language": "en"}


def test_absent_keeps_and_null_clears():
    settings = p.SessionSettings(transcription={"model": "a"}, instructions="x", tracing="auto")
    patch = update({"type": "realtime", "instructions": None, "audio": {"input": {"transcription": None}}}).patch
    assert settings.patched(patch) == p.SessionSettings(instructions="x", tracing="auto")
    patch = update({"type": "realtime", "audio": {"input": {"turn_detection": None}}, "tracing": None}).patch
    assert settings.patched(patch).turn_detection is None
    assert settings.patched(patch).tracing is None


def test_response_options_are_read_in_full():
    options = decode({"type": "response.create", **FULL["response.create"]}).options
    assert not options.in_conversation
    assert options.input[0] == p.ItemReference("item_1")
    assert options.metadata == {"topic": "sum"}
    assert options.overrides["modalities"] == ("text",)
    assert options.overrides["output_format"] == p.AudioFormat("alaw", 8000)
    assert options.overrides["tools"] == ()


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
        ({"tools": [{"type": "mcp", "server_label": "s"}]}, "invalid_value", "session.tools[0].type"),
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


def test_beta_sessions_are_flat():
    session = {
        "modalities": ["text", "audio"],
        "voice": "alloy",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        "temperature": 0.7,
        "max_response_output_tokens": 50,
        "tool_choice": "auto",
    }
    patched = p.SessionSettings().patched(update(session, Dialect.BETA).patch)
    assert patched.modalities == ("audio",)
    assert patched.input_format == p.AudioFormat("ulaw", 8000)
    assert patched.turn_detection.silence_duration_ms == 300
    assert (patched.temperature, patched.max_output_tokens) == (0.7, 50)
    assert fault(update({"audio": {}}, Dialect.BETA)) == ("unknown_parameter", "session.audio")
    assert fault(update({"temperature": 0.5}, Dialect.BETA)) == ("decimal_below_min_value", "session.temperature")
    event = decode({"type": "transcription_session.update", "session": {"modalities": ["text"]}}, Dialect.BETA)
    assert event.patch == {"kind": "transcription"}
    assert fault(decode({"type": "transcription_session.update", "session": {}})) == ("invalid_value", "type")
    options = decode(
        {
            "type": "response.create",
            "response": {"modalities": ["text"], "voice": "ash", "output_audio_format": "g711_alaw"},
        },
        Dialect.BETA,
    ).options
    assert options.overrides == {"modalities": ("text",), "voice": "ash", "output_format": p.AudioFormat("alaw", 8000)}


def test_inworld_has_its_own_spellings():
    session = {
        "modelId": "inworld/my-router",
        "output_modalities": ["audio", "text"],
        "temperature": 0.8,
        "audio": {
            "input": {"format": "g711_ulaw", "turn_detection": {"eagerness": "high"}},
            "output": {"format": {"type": "pcm16", "rate": 16000}, "model": "inworld-tts-2", "voice": "Clive"},
        },
        "tools": [{"type": "web_search", "providerData": {"max_results": 3}}],
        "provider_data": {"user_id": "lost", "stt": {"voice_profile": True}},
        "providerData": {"user_id": "u-7", "metadata": {"tier": "gold"}},
        "somethingNew": 1,
    }
    patch = update(session, Dialect.INWORLD).patch
    patched = p.SessionSettings().patched(patch)
    assert patched.model == "inworld/my-router"
    assert patched.modalities == ("text", "audio")
    assert patched.speech_model == "inworld-tts-2"
    assert patched.output_format == p.AudioFormat("pcm16", 16_000)
    assert patched.provider == {"user_id": "u-7", "stt": {"voice_profile": True}, "metadata": {"tier": "gold"}}
    bad = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 11025}}}}
    assert fault(update(bad, Dialect.INWORLD)) == ("invalid_value", "session.audio.input.format.rate")
    assert isinstance(decode({"type": "pong"}, Dialect.INWORLD), p.Pong)
    assert decode({"type": "nope", "event_id": "e"}, Dialect.INWORLD).fault.code == "unknown_event_type"


def test_on_inworlds_address_nobody_minds_a_field_that_nobody_knows():
    part = {"type": "input_text", "text": "hi", "providerData": {}}
    item = {"type": "message", "role": "user", "content": [part], "providerData": {}}
    created = decode({"type": "conversation.item.create", "item": item}, Dialect.INWORLD)
    assert created.item == p.Message("", "user", (p.TextPart("hi"),))
    asked = decode({"type": "response.create", "response": {"input": [item], "more": 1}}, Dialect.INWORLD)
    assert asked.options.input == (p.Message("", "user", (p.TextPart("hi"),)),)
    assert fault(decode({"type": "conversation.item.create", "item": item}))[0] == "unknown_parameter"


def test_user_and_metadata_are_facts_for_routing_in_every_dialect():
    patch = update({"type": "realtime", "user": "u", "metadata": {"tier": "gold"}}).patch
    assert patch["provider"] == {"user_id": "u", "metadata": {"tier": "gold"}}


def test_sessions_of_rest_calls_are_read_alike():
    assert read_session({"type": "realtime", "model": "m"}, Dialect.GA) == {"kind": "realtime", "model": "m"}
    assert read_session({"model": "m"}, Dialect.BETA) == {"model": "m"}
    assert read_session({}, Dialect.BETA, listening=True) == {"kind": "transcription"}
    with pytest.raises(Refusal) as refused:
        read_session({"type": "realtime", "model": 1}, Dialect.GA)
    assert refused.value.fault.param == "session.model"


def test_the_types_of_the_sdk_for_clients_are_all_covered():
    union = typing.get_args(typing.get_args(sdk.RealtimeClientEvent)[0])
    names = {typing.get_args(member.model_fields["type"].annotation)[0] for member in union}
    assert names <= set(FULL)
    assert isinstance(sdk, types.ModuleType)
    assert alternatives("a | array<b | c>") == ["a", "array<b | c>"]


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


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_short_way_finds_the_audio_that_the_long_one_finds(separators):
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": AUDIO}, separators=separators).encode()
    assert usual_audio(frame) == base64.b64decode(AUDIO) == decode(frame).audio


APPEND = '{"type":"input_audio_buffer.append","audio":"%s"}'


@pytest.mark.parametrize(
    "frame",
    [
        APPEND % "AAA",
        APPEND % "AA*A",
        APPEND % 'AAAA","event_id":"e1',
        APPEND % 'AAAA","type":"input_audio_buffer.commit',
        APPEND % 'AAAA","audio":"BBBB',
        APPEND % "AAAA" + "x",
        '{"type":"input_audio_buffer.commit"}',
        '{"type":"input_audio_buffer.commit","audio":"AAAA"}',
        '{"type":"input_audio_buffer.append","sound":"AAAA"}',
        "[]",
        "",
    ],
)
def test_whatever_is_not_that_and_nothing_else_takes_the_long_way(frame):
    assert usual_audio(frame.encode()) is None


@pytest.mark.parametrize(
    "frame",
    [
        APPEND % "AAAA\\u0041AAA",
        APPEND % "AAAA" + " ",
        APPEND % ("A" * 80_000),
        '{"audio":"AAAA",\n"type":"input_audio_buffer.append"}',
    ],
)
def test_however_it_is_spelled_the_audio_is_the_same(frame):
    assert usual_audio(frame.encode()) == decode(frame).audio


@given(st.text(alphabet='AB/+=\\"{}, :', max_size=12))
def test_the_short_way_never_takes_what_the_long_one_refuses(text):
    frame = (APPEND % text).encode()
    audio = usual_audio(frame)
    assert audio is None or decode(frame) == p.AppendAudio(audio=audio, at_ms=5.0)
