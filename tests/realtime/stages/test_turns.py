"""Turn detection from scripted probabilities: exact positions, hysteresis, suggestions, eagerness."""

import pytest

from realtime.stages.base import SpeechStarted, SpeechStopped, TurnRevoked, TurnSuggested, VerdictWanted
from realtime.stages.turns import FRAME_MS, TurnDetector, TurnSettings

SPEECH, QUIET, BETWEEN = 0.9, 0.1, 0.4


def hear(detector, *runs):
    """Runs of (probability, frames); what happened, in order."""
    return [event for probability, frames in runs for _ in range(frames) for event in detector.push(probability)]


def test_three_frames_start_speech_and_the_start_includes_the_padding():
    events = hear(TurnDetector(TurnSettings()), (QUIET, 20), (SPEECH, 3))
    assert events == [SpeechStarted(at_ms=20 * FRAME_MS - 300, onset_ms=20 * FRAME_MS)]


def test_the_padding_never_reaches_before_the_beginning():
    assert hear(TurnDetector(TurnSettings()), (SPEECH, 3)) == [SpeechStarted(0, 0)]


def test_two_loud_frames_are_a_click_unless_two_are_enough():
    clicks = ((SPEECH, 2), (QUIET, 1), (SPEECH, 2), (QUIET, 5))
    assert hear(TurnDetector(TurnSettings()), *clicks) == []
    assert hear(TurnDetector(TurnSettings(start_frames=2)), (QUIET, 10), (SPEECH, 2)) == [SpeechStarted(20, 320)]


def test_silence_is_rounded_up_to_frames_so_that_a_turn_never_ends_early():
    detector = TurnDetector(TurnSettings(silence_ms=500))
    assert hear(detector, (SPEECH, 10), (QUIET, 15))[1:] == []
    assert hear(detector, (QUIET, 1)) == [SpeechStopped(26 * FRAME_MS, 10 * FRAME_MS, "silence")]


def test_a_frame_between_the_thresholds_resets_the_silence_but_starts_nothing():
    detector = TurnDetector(TurnSettings())
    assert hear(detector, (BETWEEN, 30)) == []
    hear(detector, (SPEECH, 3), (QUIET, 15), (BETWEEN, 1))
    assert hear(detector, (QUIET, 15)) == []
    assert hear(detector, (QUIET, 1))[0].cause == "silence"


def test_the_threshold_is_the_configured_one():
    assert hear(TurnDetector(TurnSettings(threshold=0.95)), (SPEECH, 50)) == []


def test_a_pause_suggests_the_end_once_and_speech_revokes_it():
    detector = TurnDetector(TurnSettings(suggest_after_ms=200))
    events = hear(detector, (SPEECH, 5), (QUIET, 10), (SPEECH, 2), (QUIET, 16))[1:]
    assert events == [
        TurnSuggested(12 * FRAME_MS, 7 * FRAME_MS),
        TurnRevoked(16 * FRAME_MS),
        TurnSuggested(24 * FRAME_MS, 7 * FRAME_MS),
        SpeechStopped(33 * FRAME_MS, 17 * FRAME_MS, "silence"),
    ]


def test_a_suggestion_that_would_come_with_the_end_is_not_made():
    events = hear(TurnDetector(TurnSettings(silence_ms=200, suggest_after_ms=200)), (SPEECH, 5), (QUIET, 7))
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped]


@pytest.mark.parametrize(
    ("eagerness", "asked_ms", "longest_ms"),
    [("high", 224, 2016), ("medium", 320, 4000), ("auto", 320, 4000), ("low", 512, 8000)],
)
def test_semantic_turns_ask_at_the_base_silence_and_end_at_the_longest_wait(eagerness, asked_ms, longest_ms):
    detector = TurnDetector(TurnSettings(eagerness=eagerness))
    events = hear(detector, (SPEECH, 10), (QUIET, 300))[1:]
    assert [type(event) for event in events] == [TurnSuggested, VerdictWanted, SpeechStopped]
    assert events[1].at_ms == 320 + asked_ms
    assert events[2] == SpeechStopped(320 + longest_ms, 320, "max_wait")


def test_a_complete_turn_ends_at_the_verdict_and_an_incomplete_one_is_asked_again_after_more_speech():
    detector = TurnDetector(TurnSettings(eagerness="high"))
    hear(detector, (SPEECH, 5), (QUIET, 7))
    assert detector.judge(complete=False) == ()
    again = hear(detector, (QUIET, 10), (SPEECH, 1), (QUIET, 7))
    assert [type(event) for event in again] == [TurnRevoked, TurnSuggested, VerdictWanted]
    assert detector.judge(complete=True) == (SpeechStopped(30 * FRAME_MS, 23 * FRAME_MS, "complete"),)


def test_a_verdict_that_comes_too_late_changes_nothing():
    detector = TurnDetector(TurnSettings(eagerness="high"))
    assert detector.judge(complete=True) == ()
    hear(detector, (SPEECH, 5), (QUIET, 7), (SPEECH, 1))
    assert detector.judge(complete=True) == ()
    assert detector.speaking


def test_long_quiet_makes_the_model_state_stale_but_never_while_speech_begins():
    detector = TurnDetector(TurnSettings())
    hear(detector, (QUIET, 63))
    assert detector.stale
    hear(detector, (SPEECH, 1))
    assert not detector.stale
    hear(detector, (QUIET, 1))
    detector.refreshed()
    assert not detector.stale


def test_settings_change_inside_a_turn_and_a_restart_counts_from_its_position():
    detector = TurnDetector(TurnSettings())
    hear(detector, (SPEECH, 5), (QUIET, 6))
    detector.retune(TurnSettings(silence_ms=200))
    assert [type(event) for event in hear(detector, (QUIET, 1))] == [SpeechStopped]
    detector.restart(start_ms=10_000)
    assert hear(detector, (SPEECH, 3)) == [SpeechStarted(9_700, 10_000)]
    assert detector.position_ms == 10_096


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        (TurnSettings(), ((QUIET, 5), (SPEECH, 3), (QUIET, 10), (SPEECH, 2), (QUIET, 16), (SPEECH, 1), (QUIET, 3))),
        (TurnSettings(eagerness="high"), ((SPEECH, 5), (QUIET, 3), (SPEECH, 2), (QUIET, 70))),
    ],
)
def test_a_turn_begins_and_ends_with_a_frame_that_was_said_to_be_near_two_frames_before(settings, runs):
    detector, near = TurnDetector(settings), []
    for probability, frames in runs:
        for _ in range(frames):
            near.append(detector.near)
            told = detector.push(probability)
            decisive = any(isinstance(event, SpeechStarted | SpeechStopped | VerdictWanted) for event in told)
            assert all(near[-2:]) or not decisive
    assert 0 < sum(near) < len(near) / 3
