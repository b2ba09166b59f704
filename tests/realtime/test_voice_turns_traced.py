"""A turn's stages as tracing is told them: they follow one another, and `first_audio` spans them all."""

from types import SimpleNamespace

import pytest

from realtime.latency import TurnStamps
from realtime.protocol import AudioChunk, TextDelta
from realtime.voice_tracing import VoiceTracing


class Turns:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def turn(self, stages):
        self.told.append(stages)


@pytest.fixture
def scene():
    turns = Turns()
    studio = SimpleNamespace(now_s=100.0, observers=[VoiceTracing(turns)])
    studio.clock = lambda: studio.now_s
    return studio, TurnStamps(studio, "sess_1"), turns


def answer(studio, stamps, response_id="resp_1"):
    stamps.announced(SimpleNamespace(id=response_id, conversation_id="conv_1"))
    stamps.told(response_id, TextDelta(response_id=response_id, text="hi", at_ms=0.0))
    studio.now_s += 0.2
    stamps.told(response_id, AudioChunk(response_id=response_id, audio=b"", at_ms=0.0))
    studio.now_s += 0.1
    stamps.unwritten(response_id)()


def test_stages_follow_one_another(scene, caplog):
    studio, stamps, turns = scene
    stamps.speech_stopped(0.5)
    studio.now_s += 0.3
    stamps.transcribed("hi")
    studio.now_s += 0.4
    with caplog.at_level("INFO", "realtime.turn"):
        answer(studio, stamps)
    [stages] = turns.told
    assert {name: tuple(round(one, 3) for one in edges) for name, edges in stages.items()} == {
        "speech_end": (1.5, 1.0),
        "stt_final": (1.0, 0.7),
        "llm_first_token": (0.7, 0.3),
        "tts_first_byte": (0.3, 0.1),
        "first_audio": (1.5, 0.0),
    }
    [line] = [record for record in caplog.records if record.name == "realtime.turn"]
    assert (line.fields["session_id"], line.fields["response_id"]) == ("sess_1", "resp_1")
    assert line.fields["first_audio_ms"] == 1500


def test_what_was_ready_before_the_turn_ended_takes_no_time(scene):
    studio, stamps, turns = scene
    stamps.speech_stopped(0.5)
    stamps._at["transcript"] = 99.0
    answer(studio, stamps)
    begin_s, end_s = turns.told[0]["stt_final"]
    assert begin_s == end_s


def test_a_written_turn_has_no_speech_to_be_traced(scene):
    studio, stamps, turns = scene
    answer(studio, stamps)
    assert turns.told == []
    assert stamps.unwritten("resp_1") is None
    for silent in (lambda one: one.on_stage("x", 1.0), lambda one: one.on_interruption(1.0)):
        assert silent(studio.observers[0]) is None
    assert studio.observers[0].on_speculation("begun") is studio.observers[0].on_sessions(1) is None
