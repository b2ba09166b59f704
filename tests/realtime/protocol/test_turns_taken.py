"""Who speaks when: turns by the detector and by hand, interruption, silence, and the end of a session."""

import pytest

from realtime import protocol as p

from .scene import SECOND_PCM, Scene, one, wire
from .test_items import create, refusal, said
from .test_responses import begin, done, finish

QUIET = {"turn_detection": p.TurnDetection(idle_timeout_ms=6000)}


def start_speech(scene):
    scene.hear(300)
    return scene.give(p.SpeechStarted(audio_ms=scene.audio_ms - 300))


def stop_speech(scene, ms=1000):
    scene.hear(ms)
    return scene.give(p.SpeechStopped(audio_ms=scene.audio_ms))


def test_started_stopped_committed_and_item_share_one_id_and_count_audio():
    scene = Scene()
    scene.hear(2000)
    started, stopped = start_speech(scene), stop_speech(scene)
    begun, ended = one(started, "SpeechBegan"), one(stopped, "SpeechEnded")
    assert (begun.audio_start_ms, ended.audio_end_ms) == (2000, 3300)
    ids = {begun.item_id, ended.item_id, one(stopped, "InputCommitted").item_id, one(stopped, "ItemAdded").item.id}
    assert ids == {"item_1"}
    assert one(stopped, "CommitUtterance") == p.CommitUtterance("item_1", 2000, 3300)
    assert scene.give(p.SpeechStopped(audio_ms=4000)) == ()


def test_without_create_response_the_turn_only_becomes_an_item():
    scene = Scene(turn_detection=p.TurnDetection(create_response=False))
    assert "ResponseStarted" not in wire(scene.speech())
    assert scene.machine.foresee("x") is None
    begin(scene)
    assert scene.started.request.items[0].content == (p.TextPart("hello there"),)


def test_a_reply_that_may_not_be_interrupted_goes_on_and_the_turn_waits():
    scene = Scene(turn_detection=p.TurnDetection(interrupt_response=False))
    scene.speech()
    response_id = scene.started.response_id
    scene.give(p.TextDelta(response_id=response_id, text="One"))
    assert wire(start_speech(scene)) == ["SpeechBegan"]
    assert scene.machine.floor is p.TurnState.HEARING_REPLYING
    assert wire(scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))) == ["AudioSpoken"]
    error = one(stop_speech(scene), "ErrorRaised")
    assert (error.fault.code, error.event_id) == ("conversation_already_has_active_response", None)
    assert done(finish(scene, response_id)).status == "completed"


def test_speech_interrupts_a_response_that_still_waits_for_words():
    scene = Scene()
    start_speech(scene)
    stop_speech(scene)
    assert scene.machine.floor is p.TurnState.WAITING
    out = start_speech(scene)
    assert (done(out).status, done(out).reason) == ("cancelled", "turn_detected")
    assert "CancelReply" not in [type(output).__name__ for output in out]
    stop_speech(scene)
    assert scene.give(p.TranscriptFinal(item_id="item_1", text="tell me")) == ()
    assert one(scene.give(p.TranscriptFinal(item_id="item_2", text="a joke")), "StartReply")
    assert [item.content[0].text for item in scene.started.request.items] == ["tell me", "a joke"]


def test_interrupting_after_the_response_is_done_still_cuts_what_was_not_heard():
    scene = Scene()
    scene.speech()
    scene.reply(scene.started.response_id, "One two three four.", seconds=2)
    scene.wait(700)
    out = start_speech(scene)
    assert wire(out) == ["SpeechBegan"]
    assert one(out, "DropAudio").response_id == scene.started.response_id
    assert one(out, "TruncateHeard").text == "One two"
    stop_speech(scene)
    scene.give(p.TranscriptFinal(item_id="item_3", text="what?"))
    words = [item.content[0].text for item in scene.started.request.items]
    assert words == ["hello there", "One two", "what?"]


def test_what_was_heard_in_full_stays_in_full():
    scene = Scene()
    scene.speech()
    scene.reply(scene.started.response_id, "One two three four.", seconds=2)
    scene.wait(2_000)
    assert wire(start_speech(scene)) == ["SpeechBegan"]
    assert scene.all("TruncateHeard") == []


def test_two_replies_in_a_row_play_one_after_the_other():
    scene = Scene()
    for _ in range(2):
        scene.reply(begin(scene), "One two three four.", seconds=2)
    scene.wait(3_000)
    start_speech(scene)
    texts = {told.item_id: told.text for told in scene.all("TruncateHeard")}
    assert texts == {"item_2": "One two"}


def test_a_turn_without_words_is_no_turn():
    scene = Scene(transcription={"model": "m"})
    out = scene.speech(words="")
    assert (done(out).status, done(out).reason, done(out).output) == ("cancelled", "turn_detected", ())
    assert scene.machine.floor is p.TurnState.IDLE
    scene.speech(words="hello")
    assert [item.content[0].text for item in scene.started.request.items] == ["hello"]


def test_a_response_the_client_asked_for_is_made_without_words_too():
    scene = Scene(turn_detection=None)
    scene.hear(500)
    scene.give(p.CommitAudio())
    begin(scene)
    assert one(scene.give(p.TranscriptFinal(item_id="item_1", text="")), "StartReply").request.items == ()


def test_a_transcript_that_fails_fails_what_waits_for_it():
    scene = Scene(transcription={"model": "m"})
    start_speech(scene)
    stop_speech(scene)
    attempts = ({"stage": "stt"},)
    out = scene.give(p.TranscriptFailed(item_id="item_1", code="stt_failed", message="no", attempts=attempts))
    assert wire(out) == ["TranscriptionFailed", "ResponseDone"]
    assert (done(out).status, done(out).fault.code, done(out).attempts) == ("failed", "stt_failed", attempts)
    assert scene.give(p.TranscriptFailed(item_id="item_1", code="stt_failed", message="no")) == ()
    silent = Scene()
    start_speech(silent)
    stop_speech(silent)
    assert wire(silent.give(p.TranscriptFailed(item_id="item_1", code="x", message="no"))) == ["ResponseDone"]


def test_a_turn_by_hand():
    scene = Scene(turn_detection=None, transcription={"model": "m"})
    out = scene.give(p.CommitAudio(event_id="e1"))
    assert refusal(out) == ("input_audio_buffer_commit_empty", None, "e1")
    scene.hear(99)
    assert "99.00ms" in scene.give(p.CommitAudio())[0].fault.message
    scene.hear(1)
    out = scene.give(p.CommitAudio())
    assert [type(output).__name__ for output in out] == ["CommitUtterance", "InputCommitted", "ItemAdded", "ItemDone"]
    assert scene.give(p.SpeechStarted(audio_ms=0)) == ()
    assert scene.machine.foresee("x") is None
    assert wire(scene.give(p.CreateResponse())) == ["ResponseStarted"]
    assert "StartReply" in [
        type(output).__name__ for output in scene.give(p.TranscriptFinal(item_id="item_1", text="x"))
    ]


def test_a_commit_by_hand_in_the_middle_of_speech_takes_the_announced_id():
    scene = Scene()
    start_speech(scene)
    scene.give(p.TranscriptDelta(item_id="item_1", text="one"))
    out = scene.give(p.CommitAudio())
    assert one(out, "ItemAdded").item.id == "item_1"
    assert one(out, "BeginUtterance") == p.BeginUtterance("item_2", 300)
    stopped = stop_speech(scene)
    assert one(stopped, "SpeechEnded").item_id == "item_2"
    assert one(stopped, "CommitUtterance") == p.CommitUtterance("item_2", 300, 1300)


def test_switching_the_detector_off_in_the_middle_of_speech_loses_nothing():
    scene = Scene()
    start_speech(scene)
    scene.give(p.UpdateSession(patch={"turn_detection": None}))
    assert stop_speech(scene) == ()
    assert one(scene.give(p.CommitAudio()), "ItemAdded").item.id == "item_1"
    assert scene.machine.floor is p.TurnState.IDLE


def test_clearing_forgets_the_audio_and_the_speech_in_it():
    scene = Scene()
    assert scene.give(p.ClearAudio()) == (p.DropUtterance(None), p.InputCleared())
    start_speech(scene)
    assert scene.give(p.SpeechStarted(audio_ms=scene.audio_ms)) == ()
    assert scene.give(p.ClearAudio()) == (p.DropUtterance("item_1"), p.InputCleared())
    assert scene.machine.floor is p.TurnState.IDLE
    assert stop_speech(scene) == ()
    assert refusal(Scene(turn_detection=None).give(p.CommitAudio()))[0] == "input_audio_buffer_commit_empty"


def test_audio_that_nobody_commits_is_refused_in_the_end():
    scene = Scene(turn_detection=None, rules=p.SessionRules(manual_audio_limit_ms=1000))
    scene.hear(1001)
    out = scene.give(p.AppendAudio(audio=bytes(480), event_id="e2"))
    assert refusal(out) == ("input_audio_buffer_full", "audio", "e2")
    scene.give(p.ClearAudio())
    assert scene.give(p.AppendAudio(audio=bytes(480))) == ()


@pytest.mark.parametrize("early", [True, False])
def test_partial_words_come_early_or_with_the_item_but_never_twice(early):
    scene = Scene(rules=p.SessionRules(early_partials=early), transcription={"model": "m"})
    start_speech(scene)
    out = [*scene.give(p.TranscriptDelta(item_id="item_1", text="what "))]
    out += scene.give(p.TranscriptDelta(item_id="item_1", text=""))
    assert len(out) == (1 if early else 0)
    out += stop_speech(scene)
    out += scene.give(p.TranscriptDelta(item_id="item_1", text="time"))
    out += scene.give(p.TranscriptFinal(item_id="item_1", text="what time is it"))
    out += scene.give(p.TranscriptDelta(item_id="item_1", text="late"))
    assert [told.text for told in out if isinstance(told, p.TranscriptionAdded)] == ["what ", "time", " is it"]
    assert one(out, "TranscriptionDone").text == "what time is it"


def test_a_final_text_is_never_empty_after_words():
    scene = Scene(transcription={"model": "m"})
    start_speech(scene)
    scene.give(p.TranscriptDelta(item_id="item_1", text="hello"))
    stop_speech(scene)
    out = scene.give(p.TranscriptFinal(item_id="item_1", text=" ", voice_profile={"emotion": "calm"}))
    assert one(out, "TranscriptionDone").text == "hello"
    assert scene.started.request.voice_profile == {"emotion": "calm"}


def test_a_corrected_text_appears_only_at_the_end():
    scene = Scene(transcription={"model": "m"})
    start_speech(scene)
    stop_speech(scene)
    scene.give(p.TranscriptDelta(item_id="item_1", text="yellow"))
    assert wire(scene.give(p.TranscriptFinal(item_id="item_1", text="hello"))) == ["TranscriptionDone"]


def test_a_session_that_only_listens_commits_and_transcribes():
    scene = Scene(kind="transcription")
    assert wire(scene.speech(words="note this")) == [
        "SpeechBegan",
        "SpeechEnded",
        "InputCommitted",
        "ItemAdded",
        "ItemDone",
        "TranscriptionAdded",
        "TranscriptionDone",
    ]


def test_hints_are_told_where_they_are_known():
    scene = Scene(rules=p.SessionRules(tells_suggestions=True))
    assert scene.give(p.TurnSuggested(probability=0.9)) == ()
    assert scene.give(p.SuggestionRevoked()) == ()
    start_speech(scene)
    assert scene.give(p.SuggestionRevoked()) == ()
    assert scene.give(p.TurnSuggested(probability=0.9)) == (p.SuggestionTold("item_1", 0, 0.9),)
    assert scene.give(p.SuggestionRevoked()) == (p.SuggestionWithdrawn("item_1", 0),)
    silent = Scene()
    start_speech(silent)
    assert silent.give(p.TurnSuggested(probability=0.9)) == ()


def test_the_request_can_be_foreseen_inside_the_silence_window():
    scene = Scene(model="m")
    create(scene, said("hi"))
    assert scene.machine.foresee("what time is it") is None
    start_speech(scene)
    assert scene.machine.foresee(" ") is None
    foreseen = scene.machine.foresee("what time is it")
    stop_speech(scene)
    scene.give(p.TranscriptFinal(item_id="item_2", text="what time is it"))
    assert scene.started.request == foreseen
    start_speech(scene)
    stop_speech(scene)
    start_speech(scene)
    assert scene.machine.foresee("words before it are unknown") is None
    full = Scene(rules=p.SessionRules(context_limit_tokens=2), truncation="disabled")
    start_speech(full)
    assert full.machine.foresee("too long for this") is None


def test_a_reply_is_foreseen_in_the_voice_that_speaks_or_else_in_the_one_before():
    scene, voice = Scene(), {"pitch_hz": 120.0}
    start_speech(scene)
    assert scene.machine.foresee("hello").voice_profile is None
    foreseen = scene.machine.foresee("hello", voice)
    stop_speech(scene)
    scene.give(p.TranscriptFinal(item_id="item_1", text="hello", voice_profile=voice))
    assert scene.started.request == foreseen
    assert scene.started.request.voice_profile == voice
    scene.give(p.ReplyFinished(response_id=scene.started.response_id))
    scene.give(p.SpeakingFinished(response_id=scene.started.response_id))
    start_speech(scene)
    assert scene.machine.foresee("hello again").voice_profile == voice


def newest_timer(scene, name):
    return [timer for timer in scene.all("WakeAfter") if timer.name == name][-1]


def test_long_silence_after_a_reply_becomes_a_turn():
    scene = Scene(**QUIET)
    scene.speech()
    scene.reply(scene.started.response_id, seconds=2)
    timer = newest_timer(scene, "idle")
    assert timer.delay_ms == 2000 + 6000
    scene.hear(8000)
    out = scene.give(p.TimerFired(timer_id=timer.timer_id))
    assert wire(out) == ["IdleTimedOut", "InputCommitted", "ItemAdded", "ItemDone", "ResponseStarted"]
    timed_out = one(out, "IdleTimedOut")
    assert (timed_out.audio_start_ms, timed_out.audio_end_ms) == (1300, 9300)
    assert one(out, "StartReply").request.items[-1].role == "assistant"
    assert scene.give(p.TimerFired(timer_id=timer.timer_id)) == ()


def test_speech_and_settings_stop_the_idle_timer():
    scene = Scene(**QUIET)
    scene.speech()
    scene.reply(scene.started.response_id)
    timer = newest_timer(scene, "idle")
    scene.wait(1500)
    assert one(start_speech(scene), "CancelTimer").timer_id == timer.timer_id
    stop_speech(scene)
    scene.give(p.TranscriptFinal(item_id="item_3", text="x"))
    scene.reply(scene.started.response_id)
    timer = newest_timer(scene, "idle")
    scene.give(p.UpdateSession(patch={"turn_detection": {"idle_timeout_ms": None}}))
    assert scene.give(p.TimerFired(timer_id=timer.timer_id)) == ()


def test_a_session_opens_once_and_first():
    scene = Scene(opened=False)
    with pytest.raises(p.BrokenInvariantError, match="first event must be Opened"):
        scene.give(p.CreateResponse())
    out = scene.give(p.Opened(epoch_s=1_700_000_000))
    assert wire(out) == ["SessionCreated", "ConversationCreated"]
    assert one(out, "SessionCreated").expires_at_s == 1_700_003_600
    assert {timer.name for timer in out if isinstance(timer, p.WakeAfter)} == {"limit", "quiet"}
    with pytest.raises(p.BrokenInvariantError, match="once"):
        scene.give(p.Opened())


def test_a_session_ends_after_its_time_with_its_response_closed():
    scene = Scene()
    begin(scene)
    begin(scene, in_conversation=False)
    out = scene.give(p.TimerFired(timer_id=newest_timer(scene, "limit").timer_id))
    assert wire(out) == ["ResponseDone", "ResponseDone", "ErrorRaised"]
    error = one(out, "ErrorRaised").fault
    assert (error.code, error.message) == (
        "session_expired",
        "Your session hit the maximum duration of 60 minutes.",
    )
    assert out[-1] == p.CloseConnection(1001, error.message)
    assert scene.machine.closed
    assert scene.give(p.CreateResponse()) == ()


def test_a_client_that_sends_nothing_is_let_go():
    scene = Scene()
    scene.wait(500_000)
    scene.give(p.AppendAudio(audio=b"\0\0"))
    scene.wait(400_000)
    rearmed = scene.give(p.TimerFired(timer_id=newest_timer(scene, "quiet").timer_id))
    assert one(rearmed, "WakeAfter").delay_ms == 500_000
    scene.wait(500_000)
    out = scene.give(p.TimerFired(timer_id=newest_timer(scene, "quiet").timer_id))
    assert one(out, "ErrorRaised").fault.code == "session_idle_timeout"
    assert out[-1].code == 1000


def test_signs_of_life_come_where_they_are_known():
    scene = Scene(rules=p.SessionRules(ping_interval_ms=30_000, quiet_limit_ms=0))
    scene.wait(30_000)
    out = scene.give(p.TimerFired(timer_id=newest_timer(scene, "ping").timer_id))
    assert one(out, "PingSent").timestamp_ms == 1_700_000_030_000
    assert one(out, "WakeAfter").name == "ping"


def test_a_server_that_goes_down_lets_the_response_end_first():
    scene = Scene()
    response_id = begin(scene)
    assert scene.give(p.Draining()) == ()
    out = finish(scene, response_id)
    assert out[-1] == p.CloseConnection(1001, "The server is shutting down.")
    idle = Scene()
    assert idle.give(p.Draining())[-1].code == 1001


def test_when_the_client_is_gone_everything_stops_and_nothing_is_said():
    scene = Scene()
    response_id = begin(scene)
    scene.give(p.TextDelta(response_id=response_id, text="One"))
    out = scene.give(p.Disconnected())
    assert wire(out) == []
    assert one(out, "CancelReply").response_id == response_id
    assert [type(output).__name__ for output in out][-2:] == ["DropUtterance", "CloseConnection"]


def test_a_transport_that_plays_by_itself_truncates_by_itself():
    scene = Scene(rules=p.SessionRules(owns_playback=True))
    scene.speech()
    response_id = scene.started.response_id
    out = scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))
    assert wire(out) == ["OutputItemAdded", "ItemAdded", "PartAdded", "OutputStarted", "AudioSpoken"]
    scene.give(p.TextDelta(response_id=response_id, text="One two three four."))
    assert wire(scene.give(p.AudioChunk(response_id=response_id, audio=SECOND_PCM))) == ["AudioSpoken"]
    scene.give(p.PlaybackPosition(response_id=response_id, heard_ms=400))
    out = start_speech(scene)
    names = wire(out)
    assert names[-3:] == ["ResponseDone", "OutputCleared", "ItemTruncated"]
    assert one(out, "ItemTruncated").audio_end_ms == 400


def test_a_transport_that_plays_by_itself_tells_when_it_has_finished():
    scene = Scene(rules=p.SessionRules(owns_playback=True))
    scene.speech()
    response_id = scene.started.response_id
    scene.reply(response_id, "One two three four.", seconds=2)
    scene.give(p.PlaybackPosition(response_id=response_id, heard_ms=1000))
    scene.give(p.PlaybackPosition(response_id="nobody", heard_ms=1000))
    assert scene.give(p.PlaybackStopped(response_id="nobody")) == ()
    assert scene.give(p.PlaybackStopped(response_id=response_id)) == (p.OutputStopped(response_id),)
    assert scene.give(p.PlaybackStopped(response_id=response_id)) == ()
