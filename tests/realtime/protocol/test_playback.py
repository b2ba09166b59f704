"""What was heard: by the clock, by word times, by proportion."""

from hypothesis import given
from hypothesis import strategies as st

from realtime import protocol as p
from realtime.protocol.playback import Playback

from .scene import SECOND_PCM, Scene, one

TEXT = "One two, three. Four five!"


def sent(ms, at_ms=0.0):
    playback = Playback()
    playback.send(ms, now_ms=at_ms)
    return playback


def test_the_listener_hears_at_real_time_and_waits_when_it_runs_dry():
    playback = sent(1000)
    assert [playback.heard_ms(now) for now in (0, 400, 1000, 5000)] == [0, 400, 1000, 1000]
    playback.send(500, now_ms=5000)
    assert [playback.heard_ms(now) for now in (5000, 5200, 9000)] == [1000, 1200, 1500]


def test_someone_who_knows_beats_the_clock():
    playback = sent(1000)
    playback.place(300)
    assert playback.heard_ms(900) == 300
    playback.place(9000)
    assert playback.heard_ms(0) == 1000


def test_with_word_times_every_word_that_ended_counts_and_its_punctuation():
    playback = sent(2500)
    for number, word in enumerate(["One", "two", "three", "four", "five"]):
        playback.add_word(word, 500 * (number + 1))
    assert [playback.prefix(TEXT, ms)[0] for ms in (0, 499, 500, 1200, 1500, 2499, 2500)] == [
        "",
        "",
        "One",
        "One two,",
        "One two, three.",
        "One two, three. Four",
        TEXT,
    ]
    assert playback.prefix(TEXT, 700)[1] == "word_times"
    assert playback.prefix(TEXT, 2500) == (TEXT, "all")


def test_a_word_the_transcript_does_not_have_is_passed_over():
    playback = sent(2000)
    playback.add_word("um", 300)
    playback.add_word("One", 600)
    assert playback.prefix(TEXT, 700)[0] == "One"
    assert playback.prefix("İstanbul now", 700)[0] == ""


def test_without_word_times_segments_that_ended_count_in_full_and_the_current_one_in_proportion():
    playback = Playback()
    playback.begin_segment("One two, three.")
    playback.send(1500, now_ms=0)
    playback.end_segment(100, 1400)
    playback.begin_segment("Four five!")
    playback.send(1000, now_ms=0)
    playback.end_segment(None, None)
    assert playback.prefix(TEXT, 50) == ("", "proportional")
    assert playback.prefix(TEXT, 800)[0] == "One two,"
    assert playback.prefix(TEXT, 1450)[0] == "One two, three."
    assert playback.prefix(TEXT, 2200)[0] == "One two, three. Four"
    assert playback.prefix(TEXT, 2500) == (TEXT, "all")


def test_never_beyond_the_current_segment():
    playback = Playback()
    playback.begin_segment("One two, three.")
    playback.send(1500, now_ms=0)
    playback.end_segment(0, 1000)
    assert playback.prefix(TEXT, 1400)[0] == "One two, three."


def test_what_was_never_spoken_was_never_heard():
    playback = Playback()
    playback.begin_segment("One two, three.")
    playback.send(1000, now_ms=0)
    playback.begin_segment("not in the transcript")
    playback.end_segment(None, None)
    playback.end_segment(5, 5)
    assert playback.prefix(TEXT, 400)[0] == "One"
    done = sent(1000)
    done.begin_segment("One two, three.")
    done.end_segment(0, 1000)
    assert done.prefix(TEXT, 1000) == ("One two, three.", "all")


def test_a_segment_still_coming_is_measured_at_a_typical_pace():
    playback = Playback()
    playback.begin_segment("One two, three.")
    playback.send(700, now_ms=0)
    assert playback.prefix(TEXT, 600)[0] == "One two,"
    playback.send(9000, now_ms=0)
    assert playback.prefix(TEXT, 9000)[0] == "One two, three."


def test_without_segments_the_whole_transcript_is_measured():
    assert sent(600).prefix(TEXT, 300) == ("One", "proportional")
    assert sent(600).prefix(TEXT, 600) == (TEXT, "all")
    finished = sent(600)
    finished.finish()
    assert finished.prefix(TEXT, 300) == ("One two,", "proportional")


@given(
    texts=st.lists(st.text("ab ,.", min_size=1, max_size=12), min_size=1, max_size=4),
    heard=st.lists(st.integers(0, 5000), min_size=2, max_size=2),
    timed=st.booleans(),
)
def test_what_was_heard_is_a_prefix_and_grows_with_time(texts, heard, timed):
    playback, transcript = Playback(), "".join(texts)
    for text in texts:
        playback.begin_segment(text)
        playback.send(1000, now_ms=0)
        if timed:
            playback.add_word(text, playback.sent_ms)
    less, more = (playback.prefix(transcript, ms)[0] for ms in sorted(heard))
    assert transcript.startswith(more)
    assert len(less) <= len(more)


def test_the_session_measures_each_segment_as_it_is_told():
    scene = Scene()
    scene.give(p.CreateResponse())
    rid = scene.started.response_id
    scene.give(p.TextDelta(response_id=rid, text=TEXT))
    scene.give(p.SegmentStarted(response_id=rid, text="One two, three."))
    scene.give(p.AudioChunk(response_id=rid, audio=SECOND_PCM * 2))
    scene.give(p.SegmentFinished(response_id=rid, start_ms=500.0, end_ms=1500.0))
    scene.wait(1100)
    assert one(scene.give(p.CancelResponse()), "TruncateHeard").text == "One two,"
