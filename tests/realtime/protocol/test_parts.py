"""The small rooms: buffer, settings, history, conversation, the front door."""

from typing import get_args

import pytest

from realtime import protocol as p
from realtime.protocol.audio_buffer import AudioBuffer
from realtime.protocol.conversation import Conversation, Entry
from realtime.protocol.history import fit, paired, readable, routing_facts, tokens
from realtime.protocol.listener import silenced
from realtime.protocol.requests import own_context, recorded
from realtime.protocol.settings import deep_merge

from .scene import Scene


def user(item_id, text):
    return p.Message(item_id, "user", (p.TextPart(text),))


def test_positions_count_audio_across_formats():
    buffer = AudioBuffer(p.AudioFormat())
    buffer.append(48_000)
    assert (buffer.position_ms, buffer.pending_ms) == (1000, 1000)
    buffer.reformat(p.AudioFormat())
    buffer.reformat(p.AudioFormat("ulaw", 8000))
    buffer.append(800)
    assert buffer.position_ms == 1100
    assert buffer.take(600) == 600
    assert buffer.take(500) == 600
    assert buffer.take(9000) == 1100
    assert buffer.pending_ms == 0


@pytest.mark.parametrize(("kind", "rate", "size"), [("pcm16", 24_000, 48), ("alaw", 8000, 8), ("float32", 24_000, 96)])
def test_a_millisecond_has_a_size(kind, rate, size):
    assert p.AudioFormat(kind, rate).duration_ms(size) == 1


def test_patches_merge_deeply():
    settings = p.SessionSettings(provider={"metadata": {"a": "1"}, "user_id": "u"}, transcription=None)
    patch = {"provider": {"metadata": {"b": "2"}}, "transcription": {"model": "m"}, "voice": "ash"}
    patched = settings.patched(patch)
    assert patched.provider == {"metadata": {"a": "1", "b": "2"}, "user_id": "u"}
    assert (patched.transcription, patched.voice) == ({"model": "m"}, "ash")
    without = patched.patched({"transcription": {"model": None, "language": "en"}})
    assert without.transcription == {"language": "en"}
    noisy = settings.patched({"noise_reduction": {"type": "near_field"}, "tracing": {"workflow_name": "w"}})
    merged = noisy.patched({"noise_reduction": {"strength": 0.5}, "tracing": {"group_id": "g"}})
    assert merged.noise_reduction == {"type": "near_field", "strength": 0.5}
    assert merged.tracing == {"workflow_name": "w", "group_id": "g"}
    assert settings.patched({"tracing": "auto"}).patched({"tracing": {"group_id": "g"}}).tracing == {"group_id": "g"}
    assert deep_merge({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_turn_detection_merges_within_its_kind_and_starts_anew_with_another():
    settings = p.SessionSettings(turn_detection=p.TurnDetection(threshold=0.9, create_response=False))
    same = settings.patched({"turn_detection": {"silence_duration_ms": 200}}).turn_detection
    assert (same.threshold, same.silence_duration_ms) == (0.9, 200)
    other = settings.patched({"turn_detection": {"kind": "semantic_vad", "eagerness": "high"}}).turn_detection
    assert (other.threshold, other.eagerness, other.create_response) == (0.5, "high", False)
    assert settings.patched({"turn_detection": None}).turn_detection is None
    anew = settings.patched({"turn_detection": None}).patched({"turn_detection": {"kind": "server_vad"}})
    assert anew.turn_detection == p.TurnDetection()


def test_an_unknown_setting_is_our_own_mistake():
    with pytest.raises(TypeError):
        p.SessionSettings().patched({"nope": 1})


def test_history_forgets_the_oldest_first_and_never_the_newest():
    items = [user(str(number), "x" * 40) for number in range(5)]
    assert tokens(items[0]) == 14
    assert fit(items, "auto", 1000) == tuple(items)
    assert fit(items, "auto", 30) == tuple(items[3:])
    assert fit(items, p.Retention(0.5), 60) == tuple(items[3:])
    assert fit(items, p.Retention(0.5, 30), 1000) == tuple(items[4:])
    assert fit(items, "auto", 1) == tuple(items[4:])
    assert fit(items, "disabled", 30) is None


def test_a_tool_output_goes_with_its_call():
    call, output = p.FunctionCall("1", "c", "look", "{}"), p.FunctionOutput("2", "c", "blue")
    second, its_output = p.FunctionCall("4", "d", "look", "{}"), p.FunctionOutput("5", "d", "red")
    assert paired([call, second, its_output, output]) == (call, second, output, its_output)
    assert paired([call, output, second, its_output]) == (call, output, second, its_output)
    late = [call, user("3", "hello?"), output]
    assert paired(late) == (call, output, late[1])
    assert paired([output, user("3", "hi")]) == (user("3", "hi"),)
    assert paired([call, user("3", "hi")]) == (user("3", "hi"),)
    assert paired([output, call]) == (call, output)
    assert [tokens(one) for one in (call, output, p.McpItem("3", "mcp_call"))] == [5, 5, 0]
    assert tokens(p.Message("1", "user", (p.ImagePart("data:"),))) == 804


def test_the_model_sees_words_and_only_those_that_were_heard():
    spoken = p.Message("1", "assistant", (p.AudioPart("One two."),))
    assert readable(Entry(spoken)).content == (p.TextPart("One two."),)
    assert readable(Entry(spoken, heard="One")).content == (p.TextPart("One"),)
    assert readable(Entry(spoken, heard="")) is None
    both = p.Message("1", "assistant", (p.TextPart("One."), p.AudioPart("One.")))
    assert readable(Entry(both)).content == (p.TextPart("One."),)
    mixed = p.Message("1", "user", (p.TextPart("look"), p.AudioPart("there"), p.ImagePart("data:")))
    assert len(readable(Entry(mixed)).content) == 3
    assert readable(Entry(p.Message("1", "user", (p.AudioPart(None),)))) is None
    output = p.FunctionOutput("2", "c", "blue")
    assert readable(Entry(output)) is output


def test_facts_for_routing_are_strings():
    assert routing_facts({"user_id": "u", "metadata": {"tier": 1}}) == ("u", {"tier": "1"})
    assert routing_facts({"metadata": {"tier": None, "language": "es"}}) == (None, {"language": "es"})
    assert routing_facts({"user_id": 5, "metadata": []}) == (None, {})


def test_an_own_context_knows_what_was_heard():
    conversation = Conversation("conv_1")
    spoken = p.Message("1", "assistant", (p.AudioPart("One two."),))
    conversation.add(Entry(spoken, heard="One"))
    assert own_context((spoken, user("2", "hi")), conversation)[0].content == (p.TextPart("One"),)
    assert recorded(p.FunctionOutput("2", "c", "blue")) is None


def test_items_stand_in_the_order_clients_asked_for():
    conversation = Conversation("conv_1")
    assert conversation.add(Entry(user("b", "x"))) is None
    assert conversation.add(Entry(user("a", "x")), after="root") is None
    assert conversation.add(Entry(user("c", "x"))) == "b"
    assert conversation.add(Entry(user("ab", "x")), after="a") == "a"
    assert [entry.item.id for entry in conversation] == ["a", "ab", "b", "c"]
    assert (conversation.before("a"), conversation.before("b")) == (None, "ab")
    conversation.remove("b")
    assert not conversation.used("b")
    assert "b" not in conversation
    assert len(conversation) == 3


def test_only_messages_can_be_silenced():
    call = p.FunctionCall("1", "c", "look")
    assert silenced(call, 10) is call
    both = p.Message("1", "assistant", (p.TextPart("One."), p.AudioPart("One.", 100)))
    assert silenced(both, 10).content == (p.TextPart(""), p.AudioPart(None, 10))


def test_the_front_door_is_complete():
    assert len(p.__all__) == len(set(p.__all__))
    assert {member.__name__ for member in get_args(p.ClientEvent) + get_args(p.PipelineEvent)} <= set(p.__all__)
    assert all(hasattr(p, name) for name in p.__all__)


def test_every_event_has_a_room():
    members = {*get_args(p.ClientEvent), *get_args(p.PipelineEvent)}
    assert set(Scene().machine._rooms) == members
