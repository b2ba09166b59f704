"""Two dialects: what is renamed between them, both ways, and that nothing is touched where they agree."""

import json
from itertools import count

import pytest

from realtime.codec import Codec, Dialect
from realtime.relay.course import Course
from realtime.relay.frames import event
from realtime.relay.names import Spelling, beginning, session_to_beta, session_to_ga
from tests.realtime.samples import SAMPLES

BETA = {
    "modalities": ["text", "audio"],
    "voice": "alloy",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": None,
    "temperature": 0.8,
    "max_response_output_tokens": 100,
    "instructions": "be brief",
}
PRESENT = {
    "output_modalities": ["audio"],
    "max_output_tokens": 100,
    "instructions": "be brief",
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1"}, "turn_detection": None},
        "output": {"voice": "alloy", "format": {"type": "audio/pcm", "rate": 24000}},
    },
}


def course(*, client_beta, upstream_beta, settings=None):
    made = Course(lambda: "[]", frozenset(), settings or {}, client_beta=client_beta)
    made.begin(beta=upstream_beta)
    return made


def up(one, kind, **fields):
    return [json.loads(frame) for frame in one.from_upstream(event(kind, **fields))]


def says(one, kind, **fields):
    [frame] = one.from_client(event(kind, **fields)).up
    return json.loads(frame)


def test_settings_are_said_in_the_other_dialect():
    assert session_to_ga(BETA) == PRESENT
    back = session_to_beta({"type": "realtime", **PRESENT})
    known = {name: value for name, value in BETA.items() if name != "temperature"}
    assert back == known | {"modalities": ["audio", "text"]}
    assert session_to_ga({"modalities": ["text"], "modality": 1}) == {"output_modalities": ["text"], "modality": 1}
    assert session_to_beta({"audio": 3, "output_modalities": ["text"]}) == {"modalities": ["text"]}
    odd = session_to_beta({"audio": {"input": {"format": 7}, "output": {"format": {"type": "audio/opus"}}}})
    assert odd == {"input_audio_format": 7, "output_audio_format": {"type": "audio/opus"}}


def test_a_beta_client_before_an_upstream_of_today():
    one = course(client_beta=True, upstream_beta=False)
    sent = says(one, "session.update", session=BETA)
    assert sent["session"] == {"type": "realtime", **PRESENT}
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}, 7]}
    assert says(one, "conversation.item.create", item=item)["item"]["content"] == [
        {"type": "output_text", "text": "hi"}
    ]
    assert says(one, "response.create", response={"modalities": ["text"]})["response"] == {
        "output_modalities": ["text"]
    }
    [created] = up(one, "session.created", session={"type": "realtime", "id": "s", **PRESENT})
    assert created["session"]["voice"] == "alloy"
    [delta] = up(one, "response.output_audio.delta", response_id="r", delta="AAAA")
    assert (delta["type"], delta["delta"]) == ("response.audio.delta", "AAAA")
    [added] = up(
        one,
        "conversation.item.added",
        item={"id": "i", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    )
    assert (added["type"], added["item"]["content"][0]["type"]) == ("conversation.item.created", "text")
    assert up(one, "conversation.item.done", item={"id": "i"}) == []
    up(one, "response.created", response={"id": "r", "conversation_id": "c"})
    output = [{"id": "i", "role": "assistant", "content": [{"type": "output_audio", "transcript": "x"}]}]
    [done] = up(one, "response.done", response={"id": "r", "output": output, "audio": {"output": {"voice": "v"}}})
    assert (done["response"]["output"][0]["content"][0]["type"], done["response"]["voice"]) == ("audio", "v")
    up(one, "response.created", response={"id": "r2", "conversation_id": "c"})
    told = [json.loads(frame) for frame in one.lost({"type": "x", "code": "y"})]
    assert [frame["type"] for frame in told] == ["response.done"], "our own events are spelled as well"


def test_a_client_of_today_before_a_beta_upstream():
    one = course(client_beta=False, upstream_beta=True)
    assert says(one, "session.update", session={"type": "realtime", **PRESENT})["session"]["voice"] == "alloy"
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    assert says(one, "conversation.item.create", item=item)["item"]["content"][0]["type"] == "text"
    assert says(one, "response.create", response={"output_modalities": ["text"]})["response"] == {
        "modalities": ["text"]
    }
    assert up(one, "conversation.created", conversation={}) == []
    assert up(one, "response.audio.delta", delta="AA==")[0]["type"] == "response.output_audio.delta"
    assert up(one, "conversation.item.created", item={"id": "i"})[0]["type"] == "conversation.item.added"
    [done] = up(one, "response.done", response={"id": "r", "output": 3, "modalities": ["text"]})
    assert (done["response"]["output_modalities"], done["response"]["output"]) == (["text"], 3)
    assert up(one, "rate_limits.updated")[0] == {"type": "rate_limits.updated"}


def test_the_next_upstream_may_speak_the_other_dialect():
    one = course(client_beta=False, upstream_beta=False, settings={"type": "realtime", **PRESENT})
    up(
        one,
        "conversation.item.added",
        item={"id": "i", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    )
    one.lost({"type": "x", "code": "y"})
    update, create = (json.loads(frame) for frame in one.resume(beta=True))
    assert update["session"]["voice"] == "alloy"
    assert create["item"]["content"] == [{"type": "text", "text": "x"}]
    one.lost({"type": "x", "code": "y"})
    update, _ = (json.loads(frame) for frame in one.resume(beta=False))
    assert update["session"]["audio"]["output"]["voice"] == "alloy"


def test_a_client_secret_begins_a_session_in_the_dialect_of_its_client():
    assert beginning({"model": "m", "id": "s", "dialect": "beta", "voice": "v"}, beta=True) == {"voice": "v"}
    assert beginning({"dialect": "beta", "voice": "v"}, beta=False) == {
        "type": "realtime",
        "audio": {"output": {"voice": "v"}},
    }
    assert beginning({}, beta=False) == {}


def test_alike_means_untouched():
    both = Spelling(client_beta=True, upstream_beta=True)
    frame = b'{"type":"response.audio.delta"}'
    assert both.to_client(frame, "response.audio.delta", "response.output_audio.delta") is frame
    assert both.present("response.audio.delta") == "response.output_audio.delta"


def encoded(sample, dialect):
    numbers = count()
    return Codec(dialect, event_ids=lambda: f"event_{next(numbers)}").encode(sample)


def kind_of(frame):
    return json.loads(frame)["type"].replace("transcription_session.", "session.") if frame else None


@pytest.mark.parametrize(
    "sample", [one for one in SAMPLES if encoded(one, Dialect.GA)], ids=lambda one: type(one).__name__
)
def test_a_beta_client_is_told_the_same_events_whether_they_are_relayed_or_our_own(sample):
    present = encoded(sample, Dialect.GA)
    kind = kind_of(present)
    relayed = Spelling(client_beta=True, upstream_beta=False).to_client(present, kind, kind)
    assert kind_of(relayed) == kind_of(encoded(sample, Dialect.BETA))
