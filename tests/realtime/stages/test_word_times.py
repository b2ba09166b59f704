"""Word times that an engine tells in part, or not at all, and the silence around a sentence."""

import numpy as np
import pytest

from realtime.stages.base import WordTime
from realtime.stages.trim import trimmed
from realtime.stages.word_times import estimated_times, until_next


def test_estimated_words_share_the_time_by_their_letters():
    a, b = estimated_times("I understand.", 1400)
    assert (a.text, b.text, a.start_ms, b.end_ms) == ("I", "understand.", 0, 1400)
    assert b.end_ms - b.start_ms > 4 * (a.end_ms - a.start_ms)
    assert (b.first, b.last) == (2, 13)
    assert estimated_times("  ", 100) == ()


def test_a_word_lasts_until_the_next_and_parts_of_a_word_are_one():
    text = 'at "10:30" — go!'
    words = until_next(text, [(0, 0.0), (4, 200.0), (7, 400.0), (13, 900.0)], 1200.0)
    assert [(word.text, word.start_ms, word.end_ms) for word in words] == [
        ("at", 0, 200),
        ('"10:30"', 200, 900),
        ("go!", 900, 1200),
    ]


def test_silence_is_cut_and_word_times_move_along_and_stay_inside():
    rate = 1000
    clip = np.concatenate((np.zeros(200), np.full(300, 5000), np.zeros(400))).astype(np.int16)
    words = (WordTime("a", 100, 300, 0, 1), WordTime("b", 300, 800, 2, 3))
    short, moved = trimmed(clip, rate, words)
    assert len(short) == 20 + 300 + 120
    assert [(word.start_ms, word.end_ms) for word in moved] == [(0, 120), (120, 320)]


@pytest.mark.parametrize("samples", [0, 500])
def test_a_clip_of_silence_becomes_nothing(samples):
    short, words = trimmed(np.zeros(samples, dtype=np.int16), 16_000, (WordTime("a", 0, 10, 0, 1),))
    assert (len(short), words) == (0, ())
