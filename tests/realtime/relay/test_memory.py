"""The bounds of what is remembered, and odd things that are remembered all the same."""

import json

from realtime.relay import items as items_room
from realtime.relay import tail as tail_room
from realtime.relay.frames import event, joined, size_of, sound_in
from realtime.relay.items import Items
from realtime.relay.memory import Memory
from realtime.relay.tail import Tail


def user(name, *parts):
    return {"id": name, "type": "message", "role": "user", "content": list(parts)}


def words(text):
    return {"type": "input_text", "text": text}


def test_the_oldest_items_go_first_by_number_and_by_size(monkeypatch):
    monkeypatch.setattr(items_room, "MOST_ITEMS", 3)
    some = Items()
    for number in range(5):
        some.put(user(f"i{number}", words("x")))
    assert [item["id"] for item in some.again()] == ["i2", "i3", "i4"]
    monkeypatch.setattr(items_room, "MOST_BYTES", 1000)
    some.put(user("big", words("x" * 900)))
    assert [item["id"] for item in some.again()] == ["big"]
    some.transcribed("big", "y" * 20)
    some.put(user("next", words("x")))
    assert len(some) == 2, "what has become smaller counts less"


def test_items_of_the_user_are_told_with_what_is_known_of_them():
    some = Items()
    some.put(user("a", {"type": "input_audio", "transcript": "said"}))
    some.put(user("b", {"type": "input_audio", "audio": "AAAA"}))
    some.put(user("c", {"type": "input_audio"}, {"type": "unheard_of"}))
    some.put({"id": 7})
    some.heard("d", [b"AAAA", b"!"])
    some.heard("a", [b"AAAA"])
    for odd in (None, "nobody"):
        some.transcribed(odd, "x")
        some.cut(odd, 1)
        some.sounded(odd, 1)
        some.drop(odd)
    some.transcribed("d", "")
    told = {item["id"]: item["content"] for item in some.again()}
    assert told == {
        "a": [words("said")],
        "b": [{"type": "input_audio", "audio": "AAAA"}],
        "d": [{"type": "input_audio", "audio": "AAAA"}],
    }


def test_an_assistants_words_are_not_lost_when_its_item_is_told_without():
    some = Items()
    item = {"id": "a", "type": "message", "role": "assistant"}
    some.put({**item, "content": [{"type": "output_text", "text": "hi"}]})
    some.put({**item, "status": "completed", "content": []})
    assert [one["content"] for one in some.again()] == [[{"type": "output_text", "text": "hi"}]]


def test_a_call_that_was_never_finished_is_not_told():
    some = Items()
    for status in ("in_progress", "incomplete", "completed"):
        some.put(
            {"id": status, "type": "function_call", "name": "f", "call_id": "c", "arguments": "{}", "status": status}
        )
    assert [item["id"] for item in some.again()] == ["completed"]


def test_frames_that_are_no_sound_are_bounded_too(monkeypatch):
    monkeypatch.setattr(tail_room, "MOST_FRAMES", 3)
    tail = Tail()
    tail.sound(b'{"audio":"AAAA"}')
    for number in range(6):
        tail.say("conversation.item.create", b"%d" % number, str(number))
    assert tail.again() == [b'{"audio":"AAAA"}', b"3", b"4", b"5"]
    assert tail.refused("0") is None
    assert not tail.waits("response.create")


def test_one_frame_larger_than_the_ring_is_kept():
    tail = Tail()
    tail.sound(b'{"audio":"' + b"A" * (tail_room.RING_BYTES + 100) + b'"}')
    assert len(tail.again()) == 1
    assert tail.lost_bytes == 0


def test_sound_is_measured_in_the_format_of_the_session():
    for session, expected in (
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, 8),
        ({"audio": {"output": {"format": {"type": "audio/pcm"}}}}, 48),
        ({"output_audio_format": "pcm16"}, 48),
        ({"output_audio_format": "g711_alaw"}, 8),
        ({"audio": {"output": 3}}, 48),
        ({}, 48),
    ):
        memory = Memory({})
        memory.told("session.created", {"session": session})
        memory.items.put(
            {"id": "a", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "a b c d"}]}
        )
        memory.sounded("a", event("x", delta="A" * 640))
        memory.told("conversation.item.truncated", {"item_id": "a", "audio_end_ms": 480 / expected / 2})
        [item] = memory.items.again()
        assert item["content"][0]["text"] == "a b"


def test_an_event_without_what_it_should_have_changes_nothing():
    memory = Memory({})
    memory.said("conversation.item.retrieve", b"{}", None)
    for kind in (
        "session.updated",
        "conversation.item.added",
        "input_audio_buffer.committed",
        "input_audio_buffer.speech_stopped",
    ):
        memory.told(kind, {})
    memory.refused(None)
    assert memory.head(beta=False) == memory.rest() == []


def test_sound_is_cut_out_as_it_stands():
    frame = json.dumps({"type": "x", "audio": "QUJD"}).encode()
    assert sound_in(frame, b"audio") == b"QUJD"
    assert (
        sound_in(frame, b"delta") == sound_in(b'{"audio":"open', b"audio") == sound_in(b'{"audio":7}', b"audio") == b""
    )
    assert (size_of(b"QUJD"), size_of(b"QQ=="), size_of(b"")) == (3, 1, 0)
    assert joined([b"QQ==", b"Q", b"Qg=="]) == "QUI="
