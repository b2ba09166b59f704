"""Responses: asked for, beside the conversation, with tools, cut short, failed."""

from dataclasses import replace

import pytest

from realtime import protocol as p
from realtime.protocol.turns import Signal

from .scene import SECOND_PCM, Scene, one, wire
from .test_items import create, refusal, said


def begin(scene, **options):
    overrides = options.pop("overrides", {})
    out = scene.give(p.CreateResponse(options=p.ResponseOptions(overrides=overrides, **options), event_id="e1"))
    return one(out, "ResponseStarted").response.id


def finish(scene, response_id, **fields):
    out = [*scene.give(p.ReplyFinished(response_id=response_id, **fields))]
    return [*out, *scene.give(p.SpeakingFinished(response_id=response_id))]


def done(outputs):
    return one(outputs, "ResponseDone").response


def test_there_is_one_response_in_the_conversation():
    scene = Scene()
    response_id = begin(scene)
    out = scene.give(p.CreateResponse(event_id="e2"))
    assert refusal(out) == ("conversation_already_has_active_response", None, "e2")
    assert response_id in out[0].fault.message
    assert done(finish(scene, response_id)).status == "completed"
    assert begin(scene) != response_id


def test_cancelling_with_and_without_an_id_and_with_nothing_there():
    scene = Scene()
    assert refusal(scene.give(p.CancelResponse(event_id="e3"))) == ("response_cancel_not_active", None, "e3")
    response_id = begin(scene)
    assert refusal(scene.give(p.CancelResponse(response_id="other")))[0] == "response_cancel_not_active"
    view = done(scene.give(p.CancelResponse(response_id=response_id)))
    assert (view.status, view.reason) == ("cancelled", "client_cancelled")
    begin(scene)
    assert done(scene.give(p.CancelResponse())).reason == "client_cancelled"


def test_overrides_hold_for_one_response_only():
    scene = Scene(model="m", instructions="be brief", provider={"user_id": "u", "metadata": {"tier": "gold"}})
    overrides = {"modalities": ("text",), "instructions": "be long", "voice": "ash", "max_output_tokens": 5}
    response_id = begin(scene, overrides=overrides, metadata={"client_event_id": "x"})
    request = scene.started.request
    assert (request.instructions, request.voice, request.max_output_tokens) == ("be long", "ash", 5)
    assert (request.speaks, request.user_id, request.facts) == (False, "u", {"tier": "gold"})
    view = done(scene.give(p.ReplyFinished(response_id=response_id)))
    assert (view.metadata, view.modalities, view.voice) == ({"client_event_id": "x"}, ("text",), "ash")
    begin(scene)
    assert (scene.started.request.instructions, scene.started.request.speaks) == ("be brief", True)


def test_responses_beside_the_conversation_leave_no_trace_in_it():
    scene = Scene(rules=p.SessionRules(side_response_limit=2))
    create(scene, said("hi", "mine"))
    main = begin(scene)
    own = (p.ItemReference("mine"), said("sum up"))
    beside = begin(scene, in_conversation=False, input=own, metadata={"topic": "sum"})
    assert [item.content[0].text for item in scene.started.request.items] == ["hi", "sum up"]
    empty = begin(scene, in_conversation=False, input=())
    assert scene.started.request.items == ()
    assert refusal(scene.give(p.CreateResponse(options=p.ResponseOptions(in_conversation=False))))[0] == (
        "rate_limit_exceeded"
    )
    out = [*scene.give(p.TextDelta(response_id=beside, text="hi")), *finish(scene, beside)]
    assert not [name for name in wire(out) if name.startswith("ItemA") or name == "ItemDone"]
    assert not scene.machine.holds(done(out).output[0].id)
    assert scene.machine.holds("mine")
    assert (done(out).conversation_id, done(out).metadata) == (None, {"topic": "sum"})
    assert done(scene.give(p.CancelResponse(response_id=empty))).status == "cancelled"
    assert done(finish(scene, main)).conversation_id == "conv_1"
    begin(scene, in_conversation=False)
    assert [item.id for item in scene.started.request.items] == ["mine"]


@pytest.mark.parametrize("inside", [True, False])
def test_an_input_that_refers_to_nothing_is_refused(inside):
    scene = Scene()
    options = p.ResponseOptions(in_conversation=inside, input=(said("a"), p.ItemReference("nobody")))
    out = scene.give(p.CreateResponse(options=options, event_id="e4"))
    assert refusal(out) == ("invalid_value", "response.input[1].id", "e4")


def test_speech_in_an_own_input_is_transcribed_first():
    scene = Scene()
    recording = p.Message("", "user", (p.AudioPart(None, audio=b"\0\0"),))
    options = p.ResponseOptions(in_conversation=False, input=(recording,))
    out = scene.give(p.CreateResponse(options=options))
    item_id = one(out, "TranscribeItem").item_id
    out = scene.give(p.TranscriptFinal(item_id=item_id, text="hello"))
    assert one(out, "StartReply").request.items[0].content == (p.TextPart("hello"),)


def test_tools_run_in_parallel_while_the_voice_goes_on():
    scene = Scene()
    response_id = begin(scene)
    out = [*scene.give(p.TextDelta(response_id=response_id, text="Let me look."))]
    for call in ("c1", "c2"):
        out += scene.give(p.ToolCallStarted(response_id=response_id, call_id=call, name="look"))
    out += scene.give(p.ToolCallStarted(response_id=response_id, call_id="c1", name="again"))
    out += scene.give(p.ToolArgumentsDelta(response_id=response_id, call_id="c2", text='{"a"'))
    out += scene.give(p.ToolArgumentsDelta(response_id=response_id, call_id="c1", text="{}"))
    out += scene.give(p.ToolArgumentsDelta(response_id=response_id, call_id="c3", text="{}"))
    out += scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    out += scene.give(p.ToolArgumentsDelta(response_id=response_id, call_id="c2", text=":1}"))
    out += scene.give(p.ToolCallFinished(response_id=response_id, call_id="c1"))
    out += scene.give(p.ToolCallFinished(response_id=response_id, call_id="c1"))
    out += finish(scene, response_id, reason="tool_calls")
    arguments = {o.call_id: o.arguments for o in out if isinstance(o, p.ArgumentsDone)}
    assert arguments == {"c1": "{}", "c2": '{"a":1}'}
    kinds = [(type(item).__name__, item.status) for item in done(out).output]
    assert kinds == [("Message", "completed"), ("FunctionCall", "completed"), ("FunctionCall", "completed")]
    names = wire(out)
    assert names.index("ArgumentsDone") > names.index("AudioSpoken")
    assert names[-1] == "ResponseDone"


def call_tool(scene, response_id, *calls):
    for call in calls:
        scene.give(p.ToolCallStarted(response_id=response_id, call_id=call, name="look"))


def test_by_default_the_client_asks_for_the_answer_to_its_tool():
    scene = Scene()
    response_id = begin(scene)
    call_tool(scene, response_id, "c1")
    finish(scene, response_id)
    assert wire(create(scene, p.FunctionOutput("", "c1", "blue"))) == ["ItemAdded", "ItemDone"]
    begin(scene)
    assert [type(item).__name__ for item in scene.started.request.items] == ["FunctionCall", "FunctionOutput"]


def test_where_the_session_goes_on_by_itself_it_waits_for_all_outputs_and_the_clients_own_request_joins():
    scene = Scene(rules=p.SessionRules(auto_tool_response=True))
    response_id = begin(scene)
    call_tool(scene, response_id, "c1", "c2")
    finish(scene, response_id)
    assert wire(create(scene, p.FunctionOutput("", "c1", "blue"))) == ["ItemAdded", "ItemDone"]
    assert wire(create(scene, p.FunctionOutput("", "c2", "red")))[-1] == "ResponseStarted"
    assert scene.give(p.CreateResponse()) == ()
    assert refusal(scene.give(p.CreateResponse()))[0] == "conversation_already_has_active_response"


def test_outputs_that_come_while_the_voice_goes_on_are_answered_after_it():
    scene = Scene(provider={"auto_tool_response": True})
    response_id = begin(scene)
    scene.give(p.TextDelta(response_id=response_id, text="Wait."))
    call_tool(scene, response_id, "c1")
    scene.give(p.ReplyFinished(response_id=response_id))
    create(scene, p.FunctionOutput("", "c1", "blue"))
    out = scene.give(p.SpeakingFinished(response_id=response_id))
    assert wire(out)[-2:] == ["ResponseDone", "ResponseStarted"]


def test_an_answer_asked_for_while_only_the_voice_goes_on_is_given_after_it():
    scene = Scene()
    response_id = begin(scene)
    scene.give(p.TextDelta(response_id=response_id, text="Wait."))
    call_tool(scene, response_id, "c1")
    scene.give(p.ToolCallFinished(response_id=response_id, call_id="c1"))
    assert refusal(scene.give(p.CreateResponse()))[0] == "conversation_already_has_active_response"
    create(scene, p.FunctionOutput("", "c1", "blue"))
    options = p.ResponseOptions(metadata={"client_event_id": "x"})
    assert scene.give(p.CreateResponse(options=options)) == ()
    assert refusal(scene.give(p.CreateResponse()))[0] == "conversation_already_has_active_response"
    out = finish(scene, response_id)
    assert one(out, "ResponseStarted").response.metadata == {"client_event_id": "x"}
    assert [type(item).__name__ for item in one(out, "StartReply").request.items] == [
        "Message",
        "FunctionCall",
        "FunctionOutput",
    ]


def test_an_answer_that_is_owed_gives_way_to_the_users_next_turn():
    scene = Scene(provider={"auto_tool_response": True})
    scene.speech()
    response_id = scene.started.response_id
    scene.give(p.TextDelta(response_id=response_id, text="Wait."))
    call_tool(scene, response_id, "c1")
    create(scene, p.FunctionOutput("", "c1", "blue"))
    out = scene.speech(words="never mind")
    assert [name for name in wire(out) if name.startswith("Response")] == ["ResponseDone", "ResponseStarted"]
    finish(scene, scene.started.response_id)
    assert scene.machine.floor is p.TurnState.IDLE


def test_a_tool_output_while_the_user_speaks_waits_for_the_turn():
    scene = Scene(provider={"auto_tool_response": True})
    response_id = begin(scene)
    call_tool(scene, response_id, "c1")
    finish(scene, response_id)
    scene.give(p.SpeechStarted(audio_ms=0))
    assert wire(create(scene, p.FunctionOutput("", "c1", "blue"))) == ["ItemAdded", "ItemDone"]


def test_our_own_broken_promises_are_loud():
    with pytest.raises(p.BrokenInvariantError, match="cannot happen"):
        Scene().machine._replies.fire(Signal.WORDS_ARRIVE)
    replies = Scene().machine._replies
    replies.floor = p.TurnState.WAITING
    with pytest.raises(p.BrokenInvariantError, match="there is none"):
        replies.fire(Signal.WORDS_ARRIVE)


def test_a_reply_cut_by_its_limit_is_incomplete():
    scene = Scene()
    response_id = begin(scene)
    scene.give(p.TextDelta(response_id=response_id, text="One"))
    call_tool(scene, response_id, "c1")
    view = done(finish(scene, response_id, reason="length", usage=p.Usage(3, 0, 4)))
    assert (view.status, view.reason, view.usage.total_tokens) == ("incomplete", "max_output_tokens", 7)
    assert [item.status for item in view.output] == ["incomplete", "incomplete"]
    response_id = begin(scene)
    assert done(finish(scene, response_id, reason="content_filter")).reason == "content_filter"


def test_a_failed_reply_ends_with_its_attempts_and_the_session_goes_on():
    scene = Scene(transcription={"model": "m"})
    out = scene.speech()
    response_id = scene.started.response_id
    attempts = ({"model": "m", "success": False},)
    scene.give(p.TextDelta(response_id=response_id, text="One"))
    out = scene.give(p.ReplyFailed(response_id=response_id, code="all_failed", message="no", attempts=attempts))
    view = done(out)
    assert (view.status, view.fault.code, view.attempts) == ("failed", "all_failed", attempts)
    assert wire(create(scene, said("hi"))) == ["ItemAdded", "ItemDone"]
    assert scene.machine.floor is p.TurnState.IDLE


def test_attempts_of_all_stages_stand_in_order_and_usage_counts_the_speech():
    scene = Scene()
    scene.hear(500)
    scene.give(p.CommitAudio())
    begin(scene)
    stt, llm, tts = ({"stage": "stt"},), ({"stage": "llm"},), ({"stage": "tts"},)
    scene.give(p.TranscriptFinal(item_id="item_1", text="x", attempts=stt, usage=p.TranscriptionUsage(0.5)))
    response_id = scene.started.response_id
    scene.give(p.TextDelta(response_id=response_id, text="One"))
    scene.give(p.ReplyFinished(response_id=response_id, attempts=llm))
    assert scene.give(p.ReplyFinished(response_id=response_id, attempts=llm)) == ()
    view = done(scene.give(p.SpeakingFinished(response_id=response_id, attempts=tts)))
    assert view.attempts == (*stt, *llm, *tts)
    assert view.usage.speech_input_ms == 500


def test_written_and_spoken_at_once_has_two_parts():
    scene = Scene(modalities=("text", "audio"))
    response_id = begin(scene)
    out = [*scene.give(p.TextDelta(response_id=response_id, text="One"))]
    out += scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    assert [type(o).__name__ for o in out if hasattr(o, "place") and o.place.content_index == 1] == [
        "PartAdded",
        "WordsSpoken",
        "AudioSpoken",
    ]
    view = done(finish(scene, response_id))
    assert view.output[0].content == (p.TextPart("One"), p.AudioPart("One", 1000))


@pytest.mark.parametrize(
    "report",
    [
        p.TextDelta(response_id="nobody", text="x"),
        p.AudioChunk(response_id="nobody", audio=b"\0\0"),
        p.SegmentStarted(response_id="nobody", text="x"),
        p.SegmentFinished(response_id="nobody"),
        p.WordSpoken(response_id="nobody", text="x", end_ms=1.0),
        p.ToolCallStarted(response_id="nobody", call_id="c", name="n"),
        p.ToolArgumentsDelta(response_id="nobody", call_id="c", text="x"),
        p.ToolCallFinished(response_id="nobody", call_id="c"),
        p.ReplyFinished(response_id="nobody"),
        p.ReplyFailed(response_id="nobody", code="c", message="m"),
        p.SpeakingFinished(response_id="nobody"),
        p.PlaybackPosition(response_id="nobody", heard_ms=1.0),
        p.PlaybackStopped(response_id="nobody"),
    ],
    ids=lambda report: type(report).__name__,
)
def test_reports_about_what_is_over_change_nothing(report):
    scene = Scene()
    response_id = begin(scene)
    assert scene.give(report) == ()
    scene.give(p.CancelResponse())
    assert scene.give(replace(report, response_id=response_id)) == ()


def test_the_position_of_a_playing_transport_counts_while_the_reply_goes_on():
    scene = Scene()
    response_id = begin(scene)
    scene.give(p.TextDelta(response_id=response_id, text="One two three four."))
    scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    assert scene.give(p.PlaybackPosition(response_id=response_id, heard_ms=0.0)) == ()
    scene.wait(900)
    assert one(scene.give(p.CancelResponse()), "TruncateHeard").heard_ms == 0


def test_words_wake_only_what_waits_for_them():
    scene = Scene(turn_detection=None)
    for _ in range(2):
        scene.hear(500)
        scene.give(p.CommitAudio())
    options = p.ResponseOptions(input=(p.ItemReference("item_1"),))
    first = one(scene.give(p.CreateResponse(options=options)), "ResponseStarted")
    options = p.ResponseOptions(in_conversation=False, input=(p.ItemReference("item_2"),))
    beside = one(scene.give(p.CreateResponse(options=options)), "ResponseStarted").response.id
    assert one(scene.give(p.TranscriptFinal(item_id="item_2", text="b")), "StartReply").response_id == beside
    view = done(scene.give(p.TranscriptFailed(item_id="item_1", code="stt_failed", message="no")))
    assert (view.id, view.status) == (first.response.id, "failed")
    assert [type(o).__name__ for o in finish(scene, beside)] == ["ResponseDone"]
    scene.hear(500)
    scene.give(p.CommitAudio())
    scene.give(p.CreateResponse(options=options))
    begin(scene)
    view = done(scene.give(p.TranscriptFailed(item_id="item_3", code="stt_failed", message="no")))
    assert view.conversation_id is not None


@pytest.mark.parametrize(
    ("provider", "words"), [({"tts": {"timestamp_type": "WORD"}}, (("One", 20.0, 500.0),)), ({}, ())]
)
def test_word_times_go_with_the_sound_where_they_are_wanted(provider, words):
    scene = Scene(provider=provider)
    response_id = begin(scene)
    scene.give(p.WordSpoken(response_id=response_id, text="One", start_ms=20.0, end_ms=500.0))
    sounds = [scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))[-1] for _ in range(2)]
    assert [sound.words for sound in sounds] == [words, ()]


def test_a_written_response_has_no_voice():
    scene = Scene(modalities=("text",))
    response_id = begin(scene)
    assert scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM)) == ()
    assert scene.give(p.SegmentStarted(response_id=response_id, text="x")) == ()
    assert scene.give(p.SegmentFinished(response_id=response_id)) == ()
    assert scene.give(p.WordSpoken(response_id=response_id, text="x", end_ms=1)) == ()
    assert scene.give(p.SpeakingFinished(response_id=response_id)) == ()
    assert scene.give(p.TextDelta(response_id=response_id, text="")) == ()
    scene.give(p.TextDelta(response_id=response_id, text="x"))
    assert done(scene.give(p.ReplyFinished(response_id=response_id))).status == "completed"


def test_limits_are_told_after_each_response():
    scene = Scene()
    limits = (p.RateLimit("tokens", 10, 5, 1.0),)
    assert wire(finish(scene, begin(scene), limits=limits))[-2:] == ["ResponseDone", "LimitsTold"]


def test_a_history_that_may_not_be_cut_fails_the_response():
    scene = Scene(rules=p.SessionRules(context_limit_tokens=10), truncation="disabled")
    create(scene, said("x" * 100))
    view = done(scene.give(p.CreateResponse()))
    assert (view.status, view.fault.code) == ("failed", "context_length_exceeded")
    assert scene.machine.floor is p.TurnState.IDLE


def test_a_history_that_was_cut_stays_cut():
    scene = Scene(truncation=p.Retention(0.5, 40))
    for number in range(4):
        create(scene, said("x" * 40, f"i{number}"))
    finish(scene, begin(scene))
    assert [item.id for item in scene.started.request.items] == ["i3"]
    scene.give(p.UpdateSession(patch={"truncation": "auto"}))
    begin(scene)
    assert [item.id for item in scene.started.request.items] == ["i3"]


def test_a_session_that_only_listens_makes_no_responses():
    scene = Scene(kind="transcription")
    assert refusal(scene.give(p.CreateResponse(event_id="e5"))) == ("invalid_value", "type", "e5")


def test_what_was_given_a_voice_is_counted():
    scene = Scene()
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    scene.give(p.SegmentStarted(response_id=response_id, text="Good day."))
    done = one(scene.reply(response_id, "Good day."), "ResponseDone")
    assert done.response.usage.speech_characters == len("Good day.")
