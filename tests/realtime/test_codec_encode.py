"""Everything the server says is valid under the field list of the API and under the official SDK's own types."""

import base64
import json
from itertools import count
from typing import get_args

import pytest
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime import protocol as p
from realtime.codec import Codec, Dialect

from .samples import PLACE, SAMPLES
from .wire_shapes import SCHEMA, event_complaints

INWORLD_ONLY = {"ping", "input_audio_buffer.turn_suggestion", "input_audio_buffer.turn_suggestion_revoked"}
GA_TYPES, BETA_TYPES = TypeAdapter(RealtimeServerEvent), TypeAdapter(BetaServerEvent)


def codec(dialect):
    numbers = count(1)
    return Codec(dialect, event_ids=lambda: f"event_{next(numbers)}")


def spoken(dialect, events=SAMPLES):
    one = codec(dialect)
    frames = [one.encode(event) for event in events]
    return [json.loads(frame) for frame in frames if frame is not None]


def kinds(union):
    found = []
    for member in get_args(union):
        found += kinds(member) if get_args(member) else [member]
    return found


def test_there_is_a_sample_of_every_server_event():
    assert {type(sample) for sample in SAMPLES} == set(kinds(p.ServerEvent))


@pytest.mark.parametrize("wire", spoken(Dialect.GA), ids=lambda wire: wire["type"])
def test_every_event_fits_the_field_list_and_the_sdk(wire):
    assert event_complaints(wire) == []
    assert GA_TYPES.validate_python(wire).type == wire["type"]


def younger_than_beta(sample):
    item = getattr(sample, "item", None)
    parts = getattr(item, "content", ())
    return isinstance(item, p.McpItem) or any(isinstance(part, p.ImagePart) for part in parts)


BETA_SAMPLES = [sample for sample in SAMPLES if not younger_than_beta(sample)]


@pytest.mark.parametrize("wire", spoken(Dialect.BETA, BETA_SAMPLES), ids=lambda wire: wire["type"])
def test_every_beta_event_fits_the_field_list_and_the_sdk(wire):
    if wire["type"] == "transcription_session.created":
        wire = {**wire, "type": "transcription_session.updated"}  # the SDK knows only the update
    if "model" in wire.get("session", {}):
        wire["session"]["model"] = "gpt-realtime"  # a closed set in the SDK; its clients read any name
    assert event_complaints(wire, beta=True) == []
    assert BETA_TYPES.validate_python(wire).type == wire["type"]


def test_every_ga_event_is_said_except_those_that_openai_never_sends():
    said = {wire["type"] for wire in spoken(Dialect.GA)}
    assert set(SCHEMA["server_events"]) - said == {"conversation.created", "conversation.item.created"}
    assert said - set(SCHEMA["server_events"]) == set()


def test_inworld_adds_its_own_events_and_nothing_else():
    said = {wire["type"] for wire in spoken(Dialect.INWORLD)}
    assert said - set(SCHEMA["server_events"]) == INWORLD_ONLY


def test_the_short_way_of_audio_says_the_same_as_the_long_one():
    one = codec(Dialect.GA)
    first, second, other = (
        json.loads(one.encode(p.AudioSpoken(place, b"\1\2\3\4")))
        for place in (PLACE, PLACE, p.PartPlace("resp_2", "item_9", 1, 0))
    )
    assert first == {
        "type": "response.output_audio.delta",
        "event_id": "event_1",
        "response_id": "resp_1",
        "item_id": "item_2",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(b"\1\2\3\4").decode(),
    }
    assert (second["event_id"], other["response_id"], other["item_id"]) == ("event_2", "resp_2", "item_9")


def test_attempts_are_text_for_openai_and_a_list_for_inworld():
    done = next(sample for sample in SAMPLES if isinstance(sample, p.ResponseDone))
    ga, inworld = spoken(Dialect.GA, [done])[0], spoken(Dialect.INWORLD, [done])[0]
    assert json.loads(ga["response"]["metadata"]["attempts"]) == [{"model": "m", "success": True}]
    assert inworld["response"]["metadata"]["attempts"] == [{"model": "m", "success": True}]
    assert inworld["usage"] == inworld["response"]["usage"]
    assert "usage" not in ga


def test_word_times_are_told_in_inworlds_dialect_only():
    timed = p.AudioSpoken(PLACE, b"\0\0", (("One", 50.0, 300.0), ("two", 350.0, 500.0)))
    alignment = spoken(Dialect.INWORLD, [timed])[0]["providerData"]["timestampInfo"]["wordAlignment"]
    assert alignment["words"] == ["One", "two"]
    assert (alignment["wordStartTimeSeconds"], alignment["wordEndTimeSeconds"]) == ([0.05, 0.35], [0.3, 0.5])
    assert "providerData" not in spoken(Dialect.GA, [timed])[0]


def test_spellings_of_the_dialects_differ_where_they_must():
    item = p.ItemAdded(p.Message("item_2", "assistant", (p.AudioPart("hi"),)), None)
    part = {dialect: spoken(dialect, [item])[0]["item"]["content"][0]["type"] for dialect in Dialect}
    assert part == {"ga": "output_audio", "beta": "audio", "inworld": "audio"}
    delta = p.WordsSpoken(PLACE, "hi")
    assert spoken(Dialect.BETA, [delta])[0]["type"] == "response.audio_transcript.delta"
    assert spoken(Dialect.BETA, [item])[0]["type"] == "conversation.item.created"
    done = p.ArgumentsDone(PLACE, "call_1", "look", "{}")
    assert "name" not in spoken(Dialect.BETA, [done])[0]


def test_strict_clients_get_no_nulls_where_they_want_absence():
    user = p.ItemAdded(p.Message("item_1", "user", (p.AudioPart(None),)), None)
    assert spoken(Dialect.GA, [user])[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    silenced = p.ItemRetrieved(p.Message("item_2", "assistant", (p.AudioPart(None, 10.0),)))
    assert spoken(Dialect.GA, [silenced])[0]["item"]["content"] == [{"type": "output_audio"}]


@pytest.mark.parametrize(
    ("dialect", "ours", "theirs"),
    [
        (Dialect.GA, "settings.voice", "session.audio.output.voice"),
        (Dialect.GA, "settings.transcription.model", "session.audio.input.transcription.model"),
        (Dialect.BETA, "settings.transcription.model", "session.input_audio_transcription.model"),
        (Dialect.GA, "session.voice", "session.voice"),  # the codec refused it: there is no such field in GA
        (Dialect.GA, "item.call_id", "item.call_id"),
        (Dialect.GA, None, None),
    ],
)
def test_the_place_of_an_error_is_named_in_the_words_of_the_dialect(dialect, ours, theirs):
    error = p.ErrorRaised(p.Fault(code="invalid_value", message="no", param=ours))
    assert spoken(dialect, [error])[0]["error"]["param"] == theirs
