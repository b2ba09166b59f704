"""The course of a relayed session: what passes, what is said again to the next upstream, how responses are ended."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.relay.course import Course
from realtime.relay.frames import error, event

FAULT = error("server_error", "it is gone")
MANUAL = {
    "type": "realtime",
    "id": "sess_1",
    "audio": {
        "input": {"turn_detection": None, "format": {"type": "audio/pcm"}},
        "output": {"format": {"type": "audio/pcm"}},
    },
}
DETECTING = {**MANUAL, "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}


class Scene:
    """A course with its two sides."""

    def __init__(self, session=MANUAL, **more):
        self.course = Course(lambda: "[]", frozenset({"m", "p/m"}), more.pop("begins", {}), **more)
        self.course.begin(beta=False)
        self.up("session.created", session=session)

    def up(self, kind, **fields):
        """The upstream says; what the client gets."""
        return [json.loads(frame) for frame in self.course.from_upstream(event(kind, **fields))]

    def says(self, kind, **fields):
        """The client says; what the upstream gets."""
        sides = self.course.from_client(event(kind, **fields))
        return [json.loads(frame) for frame in (*sides.up, *sides.down)]

    def append(self, *sounds):
        for sound in sounds:
            self.says("input_audio_buffer.append", audio=b64(sound))

    def notes(self):
        found = [(note.what, note.response_id) for note in self.course.notes]
        self.course.notes.clear()
        return found

    def dies(self, **more):
        return [json.loads(frame) for frame in self.course.lost(FAULT, **more)]

    def again(self, *, beta=False):
        return [json.loads(frame) for frame in self.course.resume(beta=beta)]


def b64(sound):
    return base64.b64encode(sound).decode()


def kinds(frames):
    return [frame["type"] for frame in frames]


def made(item_id, role="user", **more):
    return {"id": item_id, "type": "message", "role": role, "status": "completed", **more}


def text(words, kind="input_text"):
    return {"content": [{"type": kind, "text": words}]}


def items(frames):
    return [frame["item"] for frame in frames if frame["type"] == "conversation.item.create"]


def in_progress(scene, name="r1", item="a1", words=("half ", "of")):
    scene.up("response.created", response={"id": name, "conversation_id": "c", "metadata": {"mine": "1"}})
    scene.up(
        "response.output_item.added",
        response_id=name,
        output_index=0,
        item={**made(item, "assistant"), "status": "in_progress"},
    )
    scene.up("conversation.item.added", item={**made(item, "assistant"), "status": "in_progress", "content": []})
    for word in words:
        scene.up("response.output_audio.delta", response_id=name, item_id=item, delta="AAAA")
        scene.up("response.output_audio_transcript.delta", response_id=name, item_id=item, delta=word)


def test_what_means_nothing_to_us_passes_letter_for_letter():
    course = Scene().course
    for frame in (b'{"type":"unheard.of","n":1.50}', b' {"delta":"AAAA","type":"response.output_audio.delta"}'):
        assert course.from_upstream(frame) == [frame]
    for frame in (b'{"type" : "response.cancel"}', b'{"audio":"AA==","type":"input_audio_buffer.append"}'):
        assert course.from_client(frame).up == [frame]


@pytest.mark.parametrize("frame", [b"", b"no", b"[]", b"{}", b'{"type":7}', b"\xff\xfe", b'{"type":"x","a":"\xff"}'])
def test_what_is_no_event_stops_here(frame):
    scene = Scene()
    assert scene.course.from_upstream(frame) == []
    assert scene.notes() == [("odd", "")]
    told = scene.course.from_client(frame)
    assert (told.up, json.loads(told.down[0])["error"]["code"]) == ((), "invalid_json")


def test_what_only_looks_like_json_stops_here_too():
    scene = Scene()
    odd = b'{"type":"%b","item":{"id":1e999}}'
    [told] = scene.course.from_client(odd % b"conversation.item.create").down
    assert json.loads(told)["error"]["code"] == "invalid_json"
    assert scene.course.from_upstream(odd % b"conversation.item.added") == []
    assert scene.says("session.update", session=7) == [{"type": "session.update", "session": 7, "event_id": "rr_1"}]
    scene.append(b"x")
    scene.says("input_audio_buffer.commit")
    scene.up("input_audio_buffer.committed", item_id="u1")
    scene.up("response.created", response={"id": "r1", "conversation_id": "c"})
    assert len(scene.up("response.output_item.added", response_id="r1")) == 1


def test_a_model_of_its_own_may_be_repeated_and_another_may_not():
    scene = Scene()
    [sent] = scene.says("session.update", event_id="e", session={"model": "m", "voice": "x"})
    assert sent == {"type": "session.update", "event_id": "e", "session": {"voice": "x"}}
    [refused] = scene.says("session.update", event_id="e", session={"model": "other"})
    assert (refused["type"], refused["error"]["param"], refused["error"]["event_id"]) == ("error", "session.model", "e")
    [refused] = scene.says("session.update", session={"model": "other"})
    assert refused["error"]["event_id"] is None


def test_settings_that_were_taken_are_told_again_as_one_and_those_refused_are_not():
    scene = Scene()
    scene.says("session.update", session={"a": {"type": "x", "n": 1, "m": 2}, "b": {"c": 1}, "tools": [1]})
    scene.up("session.updated", session=MANUAL)
    scene.says("session.update", session={"a": {"type": "y", "o": 3}, "b": {"d": 2}, "tools": []})
    scene.up("session.updated", session=MANUAL)
    [wrong] = scene.says("session.update", session={"b": "wrong"})
    [told] = scene.up("error", error={"type": "invalid_request_error", "event_id": wrong["event_id"]})
    assert told["error"]["event_id"] is None, "the client gave none"
    scene.says("session.update", session={"late": True})
    scene.dies()
    first, late = scene.again()
    assert first["session"] == {"a": {"type": "y", "o": 3}, "b": {"c": 1, "d": 2}, "tools": []}
    assert late["session"] == {"late": True}
    assert scene.up("session.created", session={**MANUAL, "id": "sess_2"}) == []
    assert scene.up("session.updated", session={**MANUAL, "id": "sess_2"}) == []
    [shown] = scene.up("session.updated", session={**MANUAL, "id": "sess_2"})
    assert shown["session"]["id"] == "sess_1", "the client sees one session"


def test_the_settings_of_a_client_secret_come_first_and_their_answer_is_shown():
    course = Course(lambda: "[]", frozenset(), {"type": "realtime", "voice": "x"})
    [sent] = course.begin(beta=False)
    assert json.loads(sent)["session"] == {"type": "realtime", "voice": "x"}
    assert len(course.from_upstream(event("session.created", session=MANUAL))) == 1
    assert len(course.from_upstream(event("session.updated", session=MANUAL))) == 1


def test_the_conversation_is_told_again_in_words_and_its_answers_are_hidden():
    scene = Scene()
    scene.says("conversation.item.create", item={"type": "message", "role": "user", **text("hi")})
    scene.up("conversation.item.added", item=made("u1", **text("hi")), previous_item_id=None)
    scene.up("conversation.item.done", item=made("u1", **text("hi")))
    scene.says(
        "conversation.item.create",
        item={
            "id": "pic",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": "data:x"}],
        },
    )
    scene.up("conversation.item.added", item=made("pic", content=[{"type": "input_image"}]), previous_item_id="u1")
    in_progress(scene)
    scene.up(
        "response.output_item.done",
        response_id="r1",
        item={**made("a1", "assistant"), "content": [{"type": "output_audio", "transcript": "half of it"}]},
    )
    call = {"id": "f1", "type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}", "status": "completed"}
    scene.up("response.output_item.done", response_id="r1", item=call)
    scene.up("response.done", response={"id": "r1"})
    scene.says("conversation.item.create", item={"type": "function_call_output", "call_id": "c1", "output": "4"})
    scene.up(
        "conversation.item.added", item={"id": "o1", "type": "function_call_output", "call_id": "c1", "output": "4"}
    )
    scene.up("conversation.item.added", item={"id": "mcp", "type": "mcp_call"})
    scene.up("conversation.item.added", item=made("gone", **text("x")), previous_item_id="u1")
    scene.up("conversation.item.deleted", item_id="gone")
    scene.dies()
    told = items(scene.again())
    assert [item["id"] for item in told] == ["u1", "pic", "a1", "f1", "o1"]
    assert told[0]["content"] == [{"type": "input_text", "text": "hi"}]
    assert told[1]["content"] == [{"type": "input_image", "image_url": "data:x"}], "what the client sent, not the echo"
    assert told[2]["content"] == [{"type": "output_text", "text": "half of it"}]
    assert told[3] == {"id": "f1", "type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}"}
    assert (
        scene.up("conversation.item.added", item=made("u1"))
        == scene.up("conversation.item.done", item=made("u1"))
        == []
    )
    assert kinds(scene.up("conversation.item.added", item=made("u2"))) == ["conversation.item.added"]
    assert scene.up("error", error={"type": "invalid_request_error", "event_id": "rr_replay_0"}) == []


def test_an_item_goes_where_it_was_put():
    scene = Scene()
    for name, after in (("a", None), ("c", "a"), ("b", "a"), ("d", "nowhere")):
        scene.up("conversation.item.added", item=made(name, **text(name)), previous_item_id=after)
    assert [item["id"] for item in items(scene.again())] == ["a", "b", "c", "d"]


def test_sound_committed_by_hand_is_an_item_until_its_words_are_known():
    scene = Scene()
    scene.append(b"\1\1", b"\2\2\2\2")
    scene.says("input_audio_buffer.commit")
    scene.append(b"\3\3")
    scene.up("input_audio_buffer.committed", item_id="u1")
    scene.up("conversation.item.added", item=made("u1", content=[{"type": "input_audio", "transcript": None}]))
    scene.dies()
    frames = scene.again()
    assert items(frames)[0]["content"] == [{"type": "input_audio", "audio": b64(b"\1\1\2\2\2\2")}]
    assert frames[-1]["audio"] == b64(b"\3\3")
    scene.up("conversation.item.input_audio_transcription.completed", item_id="u1", transcript="two words")
    scene.dies()
    assert items(scene.again())[0]["content"] == [{"type": "input_text", "text": "two words"}]


def test_a_commit_that_was_not_answered_is_said_again_with_its_sound():
    scene = Scene()
    scene.append(b"\1\1")
    scene.says("input_audio_buffer.commit")
    scene.says("response.create", response={"instructions": "x"})
    assert scene.course.waits
    scene.dies()
    assert kinds(scene.again()) == ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]


def test_of_a_detected_turn_what_was_said_is_kept():
    scene = Scene(DETECTING)
    for n in range(10):
        scene.append(bytes([n]) * 4800)  # 100 ms each
    scene.up("input_audio_buffer.speech_started", audio_start_ms=250)
    scene.up("input_audio_buffer.speech_stopped", audio_end_ms=600)
    scene.up("input_audio_buffer.committed", item_id="u1")
    frames = scene.again()
    sound = base64.b64decode(items(frames)[0]["content"][0]["audio"])
    assert [sound[at] for at in range(0, len(sound), 4800)] == [2, 3, 4, 5]
    left = [base64.b64decode(frame["audio"])[0] for frame in frames if "audio" in frame]
    assert left == [6, 7, 8, 9]
    assert scene.notes() == [("started", ""), ("stopped", "")]


def test_a_long_silence_is_let_go_and_a_long_speech_loses_its_beginning():
    scene = Scene(DETECTING)
    for _ in range(60):
        scene.append(bytes(24_000))
    assert len(scene.again()) < 20
    assert scene.course.said_again()[1] == 0, "silence is no loss"
    scene.up("input_audio_buffer.speech_started", audio_start_ms=0)
    for _ in range(150):
        scene.append(bytes(24_000))
    assert scene.course.said_again()[1] > 1000


def test_cleared_sound_is_gone_and_so_are_frames_that_were_answered():
    scene = Scene()
    scene.append(b"\1\1")
    scene.says("conversation.item.delete", item_id="x")
    scene.says("input_audio_buffer.clear")
    scene.append(b"\2\2")
    scene.up("input_audio_buffer.cleared")
    scene.up("conversation.item.deleted", item_id="x")
    scene.says("conversation.item.truncate", item_id="x", content_index=0, audio_end_ms=1)
    scene.up("conversation.item.truncated", item_id="x", audio_end_ms=1)
    [frame] = scene.again()
    assert frame["audio"] == b64(b"\2\2")


def test_clear_that_was_never_asked_for_takes_all_sound():
    scene = Scene()
    scene.append(b"\1\1")
    scene.up("input_audio_buffer.cleared")
    assert scene.again() == []


@pytest.mark.parametrize(
    ("heard_ms", "kept"), [(0, ""), (1000, "one two"), (2000, "one two three four"), (None, "one two three four")]
)
def test_of_a_truncated_reply_the_words_that_were_heard_are_kept(heard_ms, kept):
    scene = Scene()
    in_progress(scene, words=())
    for _ in range(20):
        scene.up("response.output_audio.delta", response_id="r1", item_id="a1", delta=b64(bytes(4800)))
    scene.up(
        "response.output_item.done",
        response_id="r1",
        item={**made("a1", "assistant"), **text("one two three four", "output_text")},
    )
    scene.up("conversation.item.truncated", item_id="a1", audio_end_ms=heard_ms)
    assert [item["content"][0]["text"] for item in items(scene.again())] == ([kept] if kept else [])


def test_a_response_that_spoke_ends_as_failed_with_what_was_said():
    scene = Scene()
    in_progress(scene)
    scene.notes()
    item_done, conversation_done, done = scene.dies()
    assert kinds([item_done, conversation_done, done]) == [
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert done["response"]["status"] == "failed"
    assert done["response"]["status_details"] == {
        "type": "failed",
        "error": {"type": "server_error", "code": "server_error"},
    }
    assert done["response"]["metadata"] == {"mine": "1", "attempts": "[]"}
    assert done["response"]["output"][0]["content"] == [{"type": "output_audio", "transcript": "half of"}]
    assert scene.notes() == [("done", "r1")]
    assert kinds(scene.again()) == ["conversation.item.create"], "it is in the conversation, and not asked for again"
    assert not scene.course.waits


def test_a_response_that_had_said_nothing_is_asked_for_again():
    scene = Scene()
    scene.says("response.create", event_id="mine", response={"instructions": "x"})
    scene.up("response.created", response={"id": "r1", "conversation_id": "c"})
    scene.up("response.created", response={"id": "r2", "conversation_id": "c"})
    assert scene.course.busy
    assert kinds(scene.dies()) == ["response.done", "response.done"]
    assert [frame.get("event_id") for frame in scene.again()] == ["mine", None]


def test_a_response_outside_of_the_conversation_is_not_told_as_part_of_it():
    scene = Scene()
    scene.up("response.created", response={"id": "r1", "conversation_id": None, "conversation": "none"})
    scene.up(
        "response.output_item.added", response_id="r1", output_index="x", item={"id": "f", "type": "function_call"}
    )
    assert kinds(scene.dies()) == ["response.output_item.done", "response.done"]
    assert scene.again() == []


def test_a_response_done_tells_its_tokens_and_the_attempts():
    scene = Scene()
    in_progress(scene, words=("w",))
    scene.notes()
    [done] = scene.up(
        "response.done", response={"id": "r1", "usage": {"input_tokens": 3, "output_tokens": -1, "total_tokens": "x"}}
    )
    [note] = scene.course.notes
    assert (note.what, note.usage) == ("done", {"input_tokens": 3})
    assert done["response"]["metadata"] == {"attempts": "[]"}


def test_the_last_word_of_an_upstream_waits_until_it_is_clear_that_it_was_not_the_last():
    scene = Scene()
    grief = {"type": "server_error", "code": "oops", "message": "x"}
    assert scene.up("error", error=grief) == []
    assert scene.course.last_error == grief
    assert kinds(scene.up("rate_limits.updated")) == ["error", "rate_limits.updated"]
    assert scene.course.last_error is None
    scene.up("error", error=grief)
    assert scene.dies(silent=True) == []
    scene.up("error", error=grief)
    assert kinds(scene.dies()) == ["error"]


def test_the_end_that_is_told_is_ours_when_it_is_sooner():
    course = Course(lambda: "[]", frozenset(), {}, ends_at_s=100)
    [told] = course.from_upstream(event("session.created", session={**MANUAL, "expires_at": 500}))
    assert json.loads(told)["session"]["expires_at"] == 100
    [told] = course.from_upstream(event("session.updated", session={**MANUAL, "expires_at": 50}))
    assert json.loads(told)["session"]["expires_at"] == 50


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "role",
                    "status",
                    "content",
                    "audio",
                    "input",
                    "output",
                    "format",
                    "turn_detection",
                    "event_id",
                    "text",
                    "transcript",
                    "usage",
                    "metadata",
                    "output_tokens",
                    "code",
                    "model",
                    "conversation_id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
NAMED = st.sampled_from(["a", "b", "message", "assistant", "user", "x"])
KINDS = st.sampled_from(
    [
        "session.created",
        "session.updated",
        "session.update",
        "error",
        "response.created",
        "response.done",
        "response.create",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.create",
        "conversation.item.deleted",
        "conversation.item.delete",
        "conversation.item.truncated",
        "conversation.item.truncate",
        "conversation.item.input_audio_transcription.completed",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.committed",
        "input_audio_buffer.clear",
        "input_audio_buffer.cleared",
        "conversation.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "response.audio.delta",
        "response.text.delta",
    ]
)
ITEM = st.fixed_dictionaries(
    {"id": NAMED, "type": st.sampled_from(["message", "function_call", "x"])},
    optional={
        "role": NAMED,
        "content": JSON
        | st.lists(
            st.dictionaries(st.sampled_from(["type", "text", "audio", "transcript"]), JSON, max_size=3), max_size=2
        ),
        "status": st.sampled_from(["in_progress", "completed"]),
    },
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "item": ITEM | JSON,
        "response": st.fixed_dictionaries({"id": NAMED}) | JSON,
        "session": JSON,
        "error": JSON,
        "item_id": NAMED | JSON,
        "response_id": NAMED | JSON,
        "delta": JSON,
        "audio": st.sampled_from(["AAAA", "x", "A"]) | JSON,
        "audio_end_ms": JSON,
        "audio_start_ms": JSON,
        "event_id": NAMED | JSON,
        "previous_item_id": NAMED | JSON,
        "output_index": JSON,
        "transcript": JSON,
    },
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["up", "client", "dies", "raw"]), EVENTS, st.binary(max_size=20), st.booleans()),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, beta=st.booleans())
def test_no_history_breaks_the_course_and_what_it_says_is_json(steps, beta):
    course = Course(lambda: "[]", frozenset({"x"}), {"type": "realtime"}, client_beta=beta)
    said = list(course.begin(beta=False))
    ended, begun = [], []
    for step, wire, raw, other in steps:
        frame = raw if step == "raw" else orjson_or_none(wire)
        if step == "dies":
            out = [*course.lost(FAULT, silent=other), *course.resume(beta=other)]
        elif step == "client":
            sides = course.from_client(frame)
            out = [*sides.up, *sides.down]
        else:
            out = course.from_upstream(frame)
        said += out
        begun += [note.response_id for note in course.notes if note.what == "began"]
        ended += [note.response_id for note in course.notes if note.what == "done"]
        course.notes.clear()
    assert all(isinstance(json.loads(frame), dict) for frame in said if frame)
    course.lost(FAULT)
    ended += [note.response_id for note in course.notes]
    assert set(ended) <= set(begun)
    assert not course.busy, "every response has its end"


def orjson_or_none(wire):
    return json.dumps(wire).encode()


def test_a_turn_that_the_upstream_would_have_answered_by_itself_is_asked_about():
    scene = Scene(DETECTING)
    scene.append(bytes(4800))
    scene.up("input_audio_buffer.committed", item_id="u1")
    assert not scene.course.waits, "it may find the turn not worth an answer"
    scene.dies()
    assert kinds(scene.again()) == ["conversation.item.create", "response.create"]
    scene.up("response.created", response={"id": "r1", "conversation_id": "c"})
    scene.dies()
    assert kinds(scene.again()) == ["conversation.item.create", "response.create"], "once for the broken response"


def test_a_turn_that_nobody_would_have_answered_is_not():
    silent = {**MANUAL, "audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}}
    for session, by_hand in ((silent, False), (MANUAL, False), (DETECTING, True)):
        scene = Scene(session)
        if by_hand:
            scene.says("input_audio_buffer.commit", event_id="c")
        scene.up("input_audio_buffer.committed", item_id="u1")
        scene.dies()
        assert kinds(scene.again()) == []


def test_a_session_that_is_none_passes_as_it_is_and_is_hidden_all_the_same():
    scene = Scene()
    assert scene.up("session.updated", session=7) == [{"type": "session.updated", "session": 7}]
    assert scene.up("session.created", session=7) == []
    assert scene.up("response.done", response=7) == [{"type": "response.done", "response": 7}]
    [refused] = scene.up("error", error={"type": "server_error", "event_id": "theirs"})
    assert refused["error"]["event_id"] == "theirs"


def test_settings_that_the_next_upstream_refuses_are_told_and_hide_no_later_answer():
    scene = Scene(begins={"voice": "x"})
    scene.dies()
    [update] = scene.again()
    [told] = scene.up("error", error={"type": "invalid_request_error", "event_id": update["event_id"]})
    assert told["error"]["event_id"] is None
    assert len(scene.up("session.updated", session=MANUAL)) == 1
