"""Every event of a client, in each dialect, is understood."""

import types
import typing

import pytest
from openai.types import realtime as sdk

from realtime import protocol as p
from realtime.codec import Dialect, Refusal, read_session

from .client_frames import FULL, ITEMS, decode, fault, update
from .wire_shapes import SCHEMA, alternatives


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
