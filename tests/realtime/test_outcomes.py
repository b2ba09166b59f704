"""How replies end, in a closed set of words; and which route's first audio is counted."""

from types import SimpleNamespace

import pytest

from policies import Decision
from realtime import protocol as p
from realtime.latency import TurnStamps
from realtime.outcomes import OUTCOMES, outcome_of

SAID = (p.Message("item_1", "assistant", (p.AudioPart("hi", 300.0),)),)
CALL = (p.FunctionCall("item_2", "call_1", "look"),)


def view(status="completed", reason=None, output=SAID, conversation_id="conv_1"):
    return p.ResponseView(
        id="resp_1",
        conversation_id=conversation_id,
        status=status,
        modalities=("audio",),
        voice="alloy",
        output_format=p.AudioFormat(),
        output=output,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("ended", "begun", "heard", "outcome"),
    [
        (view(), True, True, "answered"),
        (view(output=(*SAID, *CALL)), True, True, "tool"),
        (view(output=()), True, True, "empty"),
        (view("cancelled", "turn_detected"), True, True, "interrupted"),
        (view("cancelled", "turn_detected", ()), False, True, "interrupted"),
        (view("cancelled", "turn_detected", ()), False, False, "empty"),
        (view("cancelled", "client_cancelled"), True, True, "cancelled"),
        (view("failed"), True, True, "failed"),
        (view("incomplete", "max_output_tokens"), True, True, "incomplete"),
    ],
)
def test_the_table(ended, begun, heard, outcome):
    assert outcome_of(ended, begun=begun, heard=heard) == outcome
    assert outcome in OUTCOMES


class Seen:
    """Writes down what it is told."""

    def __init__(self):
        self.replies, self.first = [], []

    def on_reply(self, outcome):
        self.replies.append(outcome)

    def on_first_audio(self, seconds, decision):
        self.first.append((round(seconds, 3), decision))

    def on_turn(self, stages):
        """Not looked at."""

    def on_stage(self, stage, seconds):
        """Not looked at."""


@pytest.fixture
def stamps():
    seen = Seen()
    studio = SimpleNamespace(observers=[seen], clock=lambda: 100.0)
    return TurnStamps(studio, "sess_1"), seen


def test_a_turn_without_words_is_told_from_one_that_was_interrupted(stamps):
    stamps, seen = stamps
    stamps.speech_stopped(0.1)
    stamps.transcribed(" ")
    stamps.over(view("cancelled", "turn_detected", ()))
    stamps.speech_stopped(0.1)
    stamps.over(view("cancelled", "turn_detected", ()))
    stamps.begun("resp_1")
    stamps.over(view())
    assert seen.replies == ["empty", "interrupted", "answered"]


def test_a_response_beside_the_conversation_is_no_turn(stamps):
    stamps, seen = stamps
    stamps.over(view(conversation_id=None))
    assert seen.replies == []


def test_the_first_sound_is_counted_for_the_decision_that_routed_the_reply_to_it(stamps):
    stamps, seen = stamps
    decision = object.__new__(Decision)
    stamps.speech_stopped(0.5)
    stamps.announced(SimpleNamespace(id="beside", conversation_id=None))
    stamps.announced(SimpleNamespace(id="resp_1", conversation_id="conv_1"))
    stamps.told("resp_0", p.AudioChunk(response_id="resp_0", audio=b""))  # the last reply goes on beside it
    assert stamps.unwritten("resp_0") is None
    stamps.routed("resp_1", decision)
    stamps.routed("resp_2", object.__new__(Decision))
    stamps.unwritten("resp_1")()
    assert seen.first == [(0.5, decision)]
