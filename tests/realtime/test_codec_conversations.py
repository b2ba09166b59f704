"""Whole conversations in JSON, both ways: the event orders clients were written against."""

import base64
import json
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime import protocol as p
from realtime.codec import Codec, Dialect

from .protocol.scene import SECOND_PCM, Scene
from .protocol.test_histories import NUMBER, WORDS, Witness, events
from .test_codec_encode import GA_TYPES
from .wire_shapes import event_complaints

PCM_200_MS = base64.b64encode(bytes(9600)).decode()


class Call:
    """A client and a pipeline around one machine."""

    def __init__(self, dialect=Dialect.GA, *, rules=None, **settings):
        self.scene = Scene(opened=False, rules=rules, **settings)
        numbers = count(1)
        self.codec = Codec(dialect, event_ids=lambda: f"event_{next(numbers)}")
        self.said = []
        self.report(p.Opened(epoch_s=1_700_000_000))

    def report(self, event):
        frames = [self.codec.encode(output) for output in self.scene.give(event) if not isinstance(output, p.Effect)]
        wires = [json.loads(frame) for frame in frames if frame is not None]
        self.said += wires
        return [wire["type"] for wire in wires]

    def send(self, kind, **fields):
        return self.report(self.codec.decode(json.dumps({"type": kind, **fields})))

    @property
    def response_id(self):
        return self.scene.started.response_id


def test_written_by_hand():
    call = Call(model="m")
    assert [wire["type"] for wire in call.said] == ["session.created"]
    assert call.send("session.update", session={"type": "realtime", "output_modalities": ["text"]}) == [
        "session.updated"
    ]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    assert call.send("conversation.item.create", item=item) == ["conversation.item.added", "conversation.item.done"]
    types = call.send("response.create", response={"metadata": {"client_event_id": "x"}})
    types += call.report(p.TextDelta(response_id=call.response_id, text="hello"))
    types += call.report(p.ReplyFinished(response_id=call.response_id))
    assert types == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    created, done = (next(w for w in call.said if w["type"] == f"response.{name}") for name in ("created", "done"))
    assert created["response"]["metadata"] == done["response"]["metadata"] == {"client_event_id": "x"}
    assert (created["response"]["output"], created["response"]["usage"]) == ([], None)


def speak(call, text="Noon."):
    types = call.report(p.TextDelta(response_id=call.response_id, text=text))
    types += call.report(p.AudioChunk(response_id=call.response_id, audio=SECOND_PCM))
    types += call.report(p.ReplyFinished(response_id=call.response_id))
    return types + call.report(p.SpeakingFinished(response_id=call.response_id))


@pytest.mark.parametrize("dialect", list(Dialect))
def test_spoken_with_turn_detection(dialect):
    call = Call(dialect, transcription={"model": "m"})
    types = call.send("input_audio_buffer.append", audio=PCM_200_MS)
    types += call.report(p.SpeechStarted(audio_ms=0))
    types += call.report(p.SpeechStopped(audio_ms=200))
    types += call.report(p.TranscriptFinal(item_id="item_1", text="what time is it"))
    types += speak(call)
    transcription = "conversation.item.input_audio_transcription"
    expected = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        f"{transcription}.delta",
        f"{transcription}.completed",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    if dialect is Dialect.BETA:
        expected = [
            name.replace("item.added", "item.created").replace("response.output_audio", "response.audio")
            if name != "response.output_item.added"
            else name
            for name in expected
            if name != "conversation.item.done"
        ]
    assert types == expected
    user = next(wire for wire in call.said if wire["type"].startswith("conversation.item."))["item"]
    assert user["content"] == [{"type": "input_audio", "transcript": None}]


def test_a_tool_call():
    call = Call(turn_detection=None)
    types = call.send("response.create")
    rid = call.response_id
    types += call.report(p.ToolCallStarted(response_id=rid, call_id="c1", name="look"))
    types += call.report(p.ToolArgumentsDelta(response_id=rid, call_id="c1", text="{}"))
    types += call.report(p.ReplyFinished(response_id=rid, reason="tool_calls"))
    assert types == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    added = next(wire for wire in call.said if wire["type"] == "response.output_item.added")["item"]
    assert (added["status"], added["arguments"], added["call_id"]) == ("in_progress", "", "c1")
    output = {"type": "function_call_output", "call_id": "c1", "output": "blue"}
    assert call.send("conversation.item.create", item=output)[0] == "conversation.item.added"
    unknown = {"type": "function_call_output", "call_id": "c9", "output": "blue"}
    assert call.send("conversation.item.create", item=unknown, event_id="mine") == ["error"]
    error = call.said[-1]["error"]
    assert (error["code"], error["event_id"]) == ("invalid_tool_call_id", "mine")


def test_an_interruption():
    call = Call()
    call.send("input_audio_buffer.append", audio=PCM_200_MS)
    call.send("response.create")
    call.report(p.TextDelta(response_id=call.response_id, text="One two three."))
    call.report(p.AudioChunk(response_id=call.response_id, audio=SECOND_PCM))
    assert call.report(p.SpeechStarted(audio_ms=100)) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    done = call.said[-1]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    item_id = done["output"][0]["id"]
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": 500}
    assert call.send("conversation.item.truncate", **cut) == ["conversation.item.truncated"]
    assert call.send("conversation.item.retrieve", item_id=item_id) == ["conversation.item.retrieved"]
    assert call.send("conversation.item.truncate", **{**cut, "audio_end_ms": 5000}) == ["error"]
    assert call.said[-1]["error"]["message"] == "Audio content of 500ms is already shorter than 5000ms"
    assert call.send("response.cancel") == ["error"]
    assert call.said[-1]["error"]["code"] == "response_cancel_not_active"


def test_every_update_is_answered_even_an_empty_one():
    call = Call()
    assert call.send("session.update", session={"type": "realtime", "tracing": "auto"}) == ["session.updated"]
    assert call.send("session.update", session={"type": "realtime"}) == ["session.updated"]
    assert call.said[-1]["session"]["tracing"] == "auto"
    assert call.said[-1]["session"]["audio"]["input"]["turn_detection"]["interrupt_response"] is True


def test_beta_begins_with_the_session_and_the_conversation():
    assert [wire["type"] for wire in Call(Dialect.BETA).said] == ["session.created", "conversation.created"]
    listening = Call(Dialect.BETA, kind="transcription")
    assert [wire["type"] for wire in listening.said] == ["transcription_session.created"]
    update = {"input_audio_transcription": {"model": "m"}}
    assert listening.send("transcription_session.update", session=update) == ["transcription_session.updated"]


NAMES = st.sampled_from(sorted(events(Scene(), Witness(), 0, "")))


@given(steps=st.lists(st.tuples(NAMES, NUMBER, WORDS), min_size=10, max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_every_dialect_can_say_it(steps):
    scene, witness = Scene(transcription={"model": "m"}), Witness()
    codecs = [Codec(dialect, event_ids=lambda: "event_1") for dialect in Dialect]
    for name, number, words in steps:
        for output in scene.give(events(scene, witness, number, words)[name]):
            witness.see(output)
            if isinstance(output, p.Effect):
                continue
            frames = [codec.encode(output) for codec in codecs]
            if frames[0] is not None:
                wire = json.loads(frames[0])
                assert event_complaints(wire) == []
                assert GA_TYPES.validate_python(wire).type == wire["type"]
