"""Whole conversations on a virtual clock, in the order clients rely on."""

from realtime.protocol import (
    AudioChunk,
    CreateItem,
    CreateResponse,
    Message,
    ReplyFinished,
    SpeechStarted,
    TextDelta,
    TextPart,
    WordSpoken,
)

from .scene import SECOND_PCM, Scene, one, wire


def test_a_written_turn_by_hand_has_the_order_clients_rely_on():
    scene = Scene(modalities=("text",), turn_detection=None, model="m")
    out = scene.give(CreateItem(item=Message("", "user", (TextPart("hi"),))))
    assert wire(out) == ["ItemAdded", "ItemDone"]
    out = [*scene.give(CreateResponse())]
    response_id = scene.started.response_id
    out += scene.give(TextDelta(response_id=response_id, text="Hel"))
    out += scene.give(TextDelta(response_id=response_id, text="lo"))
    out += scene.give(ReplyFinished(response_id=response_id))
    assert wire(out) == [
        "ResponseStarted",
        "OutputItemAdded",
        "ItemAdded",
        "PartAdded",
        "TextWritten",
        "TextWritten",
        "TextDone",
        "PartDone",
        "ItemDone",
        "OutputItemDone",
        "ResponseDone",
    ]
    assert one(out, "ResponseDone").response.output[0].content == (TextPart("Hello"),)
    assert [item.content[0].text for item in scene.started.request.items] == ["hi"]


def test_a_spoken_turn_has_the_order_clients_rely_on():
    scene = Scene(transcription={"model": "local"})
    out = scene.speech(words="what time is it")
    assert wire(out) == [
        "SpeechBegan",
        "SpeechEnded",
        "InputCommitted",
        "ItemAdded",
        "ItemDone",
        "ResponseStarted",
        "TranscriptionAdded",
        "TranscriptionDone",
    ]
    assert scene.started.request.items[0].content == (TextPart("what time is it"),)
    out = scene.reply(scene.started.response_id, "Noon.")
    assert wire(out) == [
        "OutputItemAdded",
        "ItemAdded",
        "PartAdded",
        "WordsSpoken",
        "AudioSpoken",
        "AudioDone",
        "WordsDone",
        "PartDone",
        "ItemDone",
        "OutputItemDone",
        "ResponseDone",
    ]


def test_barge_in_ends_the_response_in_one_step_and_nothing_follows():
    scene = Scene()
    scene.speech()
    response_id = scene.started.response_id
    scene.give(TextDelta(response_id=response_id, text="One two three four."))
    for number, word in enumerate(["One", "two", "three", "four"]):
        scene.give(WordSpoken(response_id=response_id, text=word, end_ms=500 * (number + 1)))
    scene.give(AudioChunk(response_id=response_id, audio=SECOND_PCM * 2))
    scene.wait(1_200)
    out = scene.give(SpeechStarted(audio_ms=scene.audio_ms))
    assert [type(output).__name__ for output in out] == [
        "BeginUtterance",
        "SpeechBegan",
        "CancelReply",
        "DropAudio",
        "AudioDone",
        "WordsDone",
        "PartDone",
        "ItemDone",
        "OutputItemDone",
        "ResponseDone",
        "TruncateHeard",
    ]
    done = one(out, "ResponseDone").response
    assert (done.status, done.reason) == ("cancelled", "turn_detected")
    assert one(out, "TruncateHeard").text == "One two"
    assert scene.give(AudioChunk(response_id=response_id, audio=SECOND_PCM)) == ()
    assert scene.give(TextDelta(response_id=response_id, text="five")) == ()
