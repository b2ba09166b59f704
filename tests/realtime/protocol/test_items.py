"""Items and settings in the client's hands: what is done, and what is refused with which code."""

import pytest

from realtime import protocol as p

from .scene import SECOND_PCM, Scene, one, wire


def said(text, item_id="", role="user"):
    return p.Message(item_id, role, (p.TextPart(text),))


def create(scene, item, after=None, event_id="e1"):
    return scene.give(p.CreateItem(item=item, previous_item_id=after, event_id=event_id))


def refusal(outputs):
    error = one(outputs, "ErrorRaised")
    assert len(outputs) == 1
    return error.fault.code, error.fault.param, error.event_id


def spoken_item(scene, text="One two three four."):
    """A finished reply of two seconds; the id of its item."""
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    out = scene.reply(response_id, text, seconds=2)
    return one(out, "ResponseDone").response.output[0].id


def test_items_are_added_where_they_were_asked_for():
    scene = Scene()
    first = one(create(scene, said("b")), "ItemAdded")
    assert (first.item.id, first.previous_item_id) == ("item_1", None)
    assert one(create(scene, said("c", "mine")), "ItemDone").previous_item_id == "item_1"
    assert one(create(scene, said("a"), "root"), "ItemAdded").previous_item_id is None
    assert one(create(scene, said("b2"), "item_1"), "ItemAdded").previous_item_id == "item_1"
    scene.give(p.CreateResponse())
    assert [item.content[0].text for item in scene.started.request.items] == ["a", "b", "b2", "c"]


def test_an_id_belongs_to_one_item_at_a_time():
    scene = Scene()
    create(scene, said("a", "mine"))
    create(scene, said("z"))
    assert refusal(create(scene, said("a", "mine"))) == ("item_create_duplicate_item_id", "item.id", "e1")
    scene.give(p.DeleteItem(item_id="mine"))
    assert one(create(scene, said("changed", "mine"), "root"), "ItemAdded").item.content == (p.TextPart("changed"),)


def test_the_id_of_an_item_in_the_making_stays_taken_when_it_is_deleted():
    scene = Scene()
    create(scene, p.Message("asked", "user", (p.AudioPart(None, audio=b"\0\0"),)))
    scene.give(p.DeleteItem(item_id="asked"))
    assert refusal(create(scene, said("a", "asked")))[0] == "item_create_duplicate_item_id"
    scene.give(p.CreateResponse())
    answer = one(scene.give(p.TextDelta(response_id=scene.started.response_id, text="Good")), "ItemAdded").item.id
    scene.give(p.DeleteItem(item_id=answer))
    assert refusal(create(scene, said("a", answer)))[0] == "item_create_duplicate_item_id"


def test_our_own_ids_step_aside_for_the_clients():
    scene = Scene()
    create(scene, said("a", "item_1"))
    assert one(create(scene, said("b")), "ItemAdded").item.id == "item_2"


@pytest.mark.parametrize(
    ("item", "after", "code", "param"),
    [
        (said("a"), "nobody", "item_create_invalid_previous_item_id", "previous_item_id"),
        (p.FunctionOutput("", "nobody", "x"), None, "invalid_tool_call_id", "item.call_id"),
        (p.Message("", "assistant", (p.AudioPart(None, audio=b"\0\0"),)), None, "invalid_value", "item.content"),
    ],
)
def test_an_item_that_cannot_be_is_refused(item, after, code, param):
    scene = Scene()
    assert refusal(create(scene, item, after)) == (code, param, "e1")
    assert wire(create(scene, said("fine"))) == ["ItemAdded", "ItemDone"]


def test_a_conversation_is_not_endless():
    scene = Scene(rules=p.SessionRules(item_limit=1))
    create(scene, said("a"))
    assert refusal(create(scene, said("b")))[0] == "conversation_full"


@pytest.mark.parametrize(
    "item",
    [
        said("x" * 99),
        p.Message("", "user", (p.ImagePart("x" * 99),)),
        p.Message("", "user", (p.AudioPart("x" * 50, audio=bytes(49)),)),
        p.FunctionCall("", "c", "look", "x" * 99),
        p.FunctionOutput("", "known", "x" * 99),
        p.McpItem("", "mcp_call", {"output": "x" * 99}),
    ],
)
def test_a_conversation_takes_only_so_much_memory(item):
    scene = Scene(rules=p.SessionRules(content_limit_bytes=100))
    create(scene, p.FunctionCall("", "known", "l", "{}"))
    assert refusal(create(scene, item))[0] == "conversation_full"
    assert wire(create(scene, said("fine"))) == ["ItemAdded", "ItemDone"]


def test_recorded_speech_is_transcribed_before_the_answer():
    scene = Scene(transcription={"model": "m"})
    parts = (p.TextPart("listen:"), p.AudioPart(None, audio=b"\0\0"))
    out = create(scene, p.Message("", "user", parts))
    assert one(out, "TranscribeItem").audio == b"\0\0"
    assert one(out, "ItemAdded").item.content[1].audio is None
    assert wire(scene.give(p.CreateResponse())) == ["ResponseStarted"]
    assert one(scene.give(p.TranscriptDelta(item_id="item_1", text="good ")), "TranscriptionAdded").content_index == 1
    out = scene.give(p.TranscriptFinal(item_id="item_1", text="good day", usage=p.TranscriptionUsage(1.0)))
    assert [type(output).__name__ for output in out] == ["TranscriptionAdded", "TranscriptionDone", "StartReply"]
    assert [part.text for part in scene.started.request.items[0].content] == ["listen:", "good day"]


def test_deleting_what_is_waited_for_ends_the_waiting():
    scene = Scene()
    create(scene, p.Message("x", "user", (p.AudioPart(None, audio=b"\0\0"),)))
    scene.give(p.CreateResponse())
    out = scene.give(p.DeleteItem(item_id="x"))
    assert [type(output).__name__ for output in out] == ["ItemDeleted", "StartReply"]


def test_a_call_without_an_id_gets_one():
    scene = Scene()
    call = one(create(scene, p.FunctionCall("", "", "look")), "ItemAdded").item
    assert call.call_id == "call_1"
    assert wire(create(scene, p.FunctionOutput("", "call_1", "blue"))) == ["ItemAdded", "ItemDone"]


def test_items_are_shown_and_removed():
    scene = Scene()
    create(scene, said("a", "mine"))
    assert one(scene.give(p.RetrieveItem(item_id="mine")), "ItemRetrieved").item == said("a", "mine")
    assert scene.give(p.DeleteItem(item_id="mine")) == (p.ItemDeleted("mine"),)
    missing = [p.RetrieveItem, p.DeleteItem]
    codes = [refusal(scene.give(kind(item_id="mine", event_id="e2"))) for kind in missing]
    assert codes == [
        ("item_retrieve_invalid_item_id", "item_id", "e2"),
        ("item_delete_invalid_item_id", "item_id", "e2"),
    ]


def cut(scene, item_id, ms, index=0):
    return scene.give(p.TruncateItem(item_id=item_id, content_index=index, audio_end_ms=ms, event_id="e3"))


def test_truncation_takes_the_words_from_the_wire_and_leaves_what_was_heard_to_the_model():
    scene = Scene()
    item_id = spoken_item(scene)
    out = cut(scene, item_id, 1000)
    assert out[0] == p.ItemTruncated(item_id, 0, 1000)
    assert one(out, "TruncateHeard").text == "One two"
    shown = one(scene.give(p.RetrieveItem(item_id=item_id)), "ItemRetrieved").item
    assert shown.content == (p.AudioPart(None, 1000),)
    scene.give(p.CreateResponse())
    assert scene.started.request.items[0].content == (p.TextPart("One two"),)


def test_truncation_may_shorten_again_but_never_lengthen():
    scene = Scene()
    item_id = spoken_item(scene)
    assert cut(scene, item_id, 2000)[0] == p.ItemTruncated(item_id, 0, 2000)
    assert one(cut(scene, item_id, 1000), "TruncateHeard").text == "One two"
    assert cut(scene, item_id, 1000)[0] == p.ItemTruncated(item_id, 0, 1000)
    out = cut(scene, item_id, 1001)
    assert refusal(out) == ("invalid_value", "audio_end_ms", "e3")
    assert out[0].fault.message == "Audio content of 1000ms is already shorter than 1001ms"
    assert one(cut(scene, item_id, 500), "TruncateHeard").text == "One"


def test_only_spoken_items_can_be_truncated():
    scene = Scene()
    create(scene, said("a", "mine"))
    create(scene, said("b", "its", "assistant"))
    assert refusal(cut(scene, "mine", 0)) == ("invalid_value", "item_id", "e3")
    assert refusal(cut(scene, "its", 0)) == ("invalid_value", "item_id", "e3")
    assert refusal(cut(scene, "nobody", 0)) == ("item_truncate_invalid_item_id", "item_id", "e3")
    assert refusal(cut(scene, spoken_item(scene), 0, index=1)) == ("invalid_value", "content_index", "e3")


def test_truncating_what_is_being_said_stops_it_first():
    scene = Scene()
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    added = one(scene.give(p.TextDelta(response_id=response_id, text="One two three four.")), "OutputItemAdded")
    scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    names = wire(cut(scene, added.item.id, 400))
    assert names[-2:] == ["ResponseDone", "ItemTruncated"]


def test_a_good_update_is_applied_and_told_in_full():
    scene = Scene(voice="alloy", model="m")
    out = scene.give(p.UpdateSession(patch={"model": "other", "voice": "ash", "turn_detection": None}))
    assert [type(output).__name__ for output in out] == ["ApplySettings", "SessionUpdated"]
    assert one(out, "SessionUpdated").settings == scene.machine.settings
    assert (scene.machine.settings.model, scene.machine.settings.voice) == ("other", "ash")


def test_the_voice_is_locked_once_the_assistant_has_spoken():
    scene = Scene()
    spoken_item(scene)
    before = scene.machine.settings
    out = scene.give(p.UpdateSession(patch={"voice": "ash", "instructions": "x"}, event_id="e4"))
    assert refusal(out) == ("cannot_update_voice", "settings.voice", "e4")
    assert scene.machine.settings is before
    same = scene.give(p.UpdateSession(patch={"voice": before.voice, "instructions": "x"}))
    assert wire(same) == ["SessionUpdated"]
    free = Scene(rules=p.SessionRules(locks_voice=False))
    spoken_item(free)
    assert wire(free.give(p.UpdateSession(patch={"voice": "ash"}))) == ["SessionUpdated"]


def test_what_may_not_change_is_refused_whole():
    def no_such_model(_current, wanted):
        bad = wanted.model == "nope"
        return p.Fault(code="invalid_model", message="no such model", param="settings.model") if bad else None

    scene = Scene(rules=p.SessionRules(locks_model=True))
    patch = {"kind": "transcription", "instructions": "x"}
    assert refusal(scene.give(p.UpdateSession(patch=patch))) == ("invalid_value", "settings.kind", None)
    assert refusal(scene.give(p.UpdateSession(patch={"model": "x"}))) == ("invalid_value", "settings.model", None)
    assert scene.machine.settings.instructions == ""
    scene = Scene(rules=p.SessionRules(refuse=no_such_model))
    assert refusal(scene.give(p.UpdateSession(patch={"model": "nope"}))) == ("invalid_model", "settings.model", None)


def test_a_refused_frame_becomes_an_error_and_the_session_lives_on():
    scene = Scene()
    fault = p.Fault(code="invalid_json", message="no")
    assert refusal(scene.give(p.Malformed(fault=fault, event_id="e5"))) == ("invalid_json", None, "e5")
    assert scene.give(p.Pong()) == ()
    assert wire(create(scene, said("a"))) == ["ItemAdded", "ItemDone"]


def test_clearing_the_output_drops_what_is_not_played():
    scene = Scene()
    assert scene.give(p.ClearOutput()) == ()
    item_id = spoken_item(scene)
    scene.wait(500)
    out = scene.give(p.ClearOutput())
    assert one(out, "OutputCleared").response_id == scene.started.response_id
    assert one(out, "TruncateHeard").item_id == item_id
    assert scene.give(p.ClearOutput()) == ()
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    assert scene.give(p.ClearOutput()) == (p.DropAudio(response_id), p.OutputCleared(response_id))
