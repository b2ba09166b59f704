"""From played time to heard text: exact with word times, never past the sentence without."""

import pytest

from realtime.stages.base import SpokenAudio, WordTime
from realtime.stages.chunker import Chunk
from realtime.stages.heard import Cut, Heard, HeardLedger


def silence(ms, words=(), estimated=False):
    return SpokenAudio(bytes(2 * ms), 1000, words, estimated)


def timed(text, ms_per_word):
    words, at = [], 0
    for n, word in enumerate(text.split()):
        first = text.index(word, at)
        at = first + len(word)
        words.append(WordTime(word, n * ms_per_word, (n + 1) * ms_per_word, first, at))
    return tuple(words)


@pytest.fixture
def ledger():
    """Two timed sentences of 400 ms each (100 ms a word), the second with marks that are not spoken."""
    ledger = HeardLedger()
    for chunk in (Chunk("One two three four.", 0), Chunk(" **Five** six, 🎉 seven [eight](http://x.y).", 19)):
        spoken = chunk.spoken()
        ledger.begin(chunk, spoken)
        ledger.audio(silence(400, timed(spoken.text, 100)))
    ledger.end()
    return ledger


@pytest.mark.parametrize(
    ("played_ms", "text", "cut"),
    [
        (0, "", Cut.NOTHING),
        (99, "", Cut.NOTHING),
        (100, "One", Cut.WORD_TIMES),
        (299, "One two", Cut.WORD_TIMES),
        (400, "One two three four.", Cut.WHOLE),
        (450, "One two three four.", Cut.WHOLE),
        (500, "One two three four. **Five**", Cut.WORD_TIMES),
        (650, "One two three four. **Five** six,", Cut.WORD_TIMES),
        (800, "One two three four. **Five** six, 🎉 seven [eight](http://x.y).", Cut.WHOLE),
        (5000, "One two three four. **Five** six, 🎉 seven [eight](http://x.y).", Cut.WHOLE),
    ],
)
def test_words_are_heard_when_their_end_was_played(ledger, played_ms, text, cut):
    heard = ledger.heard(played_ms)
    assert (heard.text, heard.cut) == (text, cut)


def test_without_word_times_the_share_of_the_sentence_counts_back_to_a_word():
    ledger = HeardLedger()
    for text in ("First sentence here.", " Second one is a bit longer."):
        chunk = Chunk(text, 0)
        ledger.begin(chunk, chunk.spoken())
        ledger.audio(silence(1000))
    ledger.end()
    assert ledger.heard(600) == Heard("First", 600, Cut.PROPORTIONAL)
    assert ledger.heard(999).text == "First sentence"
    assert ledger.heard(1500).text == "First sentence here. Second one is"
    assert ledger.sent_ms == 2000
    assert ledger.text == "First sentence here. Second one is a bit longer."


def test_a_sentence_whose_audio_has_not_ended_is_measured_by_a_quick_voice():
    ledger = HeardLedger()
    chunk = Chunk("A sentence of which only the beginning was made so far.", 0)
    ledger.begin(chunk, chunk.spoken())
    ledger.audio(silence(500))
    heard = ledger.heard(500)
    assert heard.text == "A"
    assert heard.cut is Cut.PROPORTIONAL


def test_estimated_times_of_an_unfinished_sentence_are_used_and_flagged():
    ledger = HeardLedger()
    chunk = Chunk("One two three.", 0)
    ledger.begin(chunk, chunk.spoken())
    ledger.audio(silence(200, timed("One two three.", 100), estimated=True))
    assert ledger.heard(150) == Heard("One", 150, Cut.PROPORTIONAL)


def test_code_counts_with_what_follows_it_and_at_the_end_with_all():
    ledger = HeardLedger()
    for chunk in (Chunk("See.", 0), Chunk("\n```\nx\n```\n", 4, code=True), Chunk("Done now.", 15)):
        spoken = chunk.spoken()
        ledger.begin(chunk, spoken)
        if spoken.text:
            ledger.audio(silence(200, timed(spoken.text, 100)))
    assert ledger.heard(250).text == "See."
    assert ledger.heard(300).text == "See.\n```\nx\n```\nDone"
    assert HeardLedger().heard(100).cut is Cut.NOTHING
