"""Voices that fail in mid-sentence are followed at the first unspoken word: none is repeated, none lost."""

import pytest

from policies import Outcome
from realtime.speech.scripted import WORD_MS, ScriptedSpeaker, word_tone
from realtime.stages.base import Line, SpokenAudio
from realtime.stages.spoken import CHARS_PER_MS, Said
from router.upstreams.base import UpstreamFault

TEXT = "one two three four five six seven"


class Untimed(ScriptedSpeaker):
    """Speaks without word times."""

    async def speak(self, line):
        async for piece in super().speak(line):
            yield SpokenAudio(piece.pcm, piece.sample_rate)


async def spoken_by(*speakers, text=TEXT):
    """What is passed on when these voices follow one another, each until it fails."""
    said, passed = Said(text), []
    for speaker in speakers:
        rest, last = said.begin(), None
        if not rest:
            break
        try:
            async for last in speaker.speak(Line(rest)):
                passed.append(said.take(last))
        except UpstreamFault:
            continue
        passed.append(said.end(last))
        break
    return [piece for piece in passed if piece is not None]


def words_of(pieces):
    return [word for piece in pieces for word in piece.words]


@pytest.mark.parametrize("after", range(7))
async def test_a_voice_that_dies_in_mid_sentence_is_followed_at_the_first_unspoken_word(after):
    dying, backup = ScriptedSpeaker(f"dies-after-{after}-words"), ScriptedSpeaker()
    pieces = await spoken_by(dying, backup)
    words = words_of(pieces)
    assert [TEXT[word.first : word.last] for word in words] == TEXT.split()
    assert [word.start_ms for word in words] == pytest.approx([n * WORD_MS for n in range(7)])
    assert backup.lines == [" ".join(TEXT.split()[after:])]
    assert sum(piece.duration_ms for piece in pieces) == pytest.approx(7 * WORD_MS)


async def test_voices_may_die_again_and_again():
    voices = [ScriptedSpeaker(name) for name in ("dies-after-2-words", "dead", "dies-after-3-words", "speaks")]
    assert [word.text for word in words_of(await spoken_by(*voices))] == TEXT.split()
    assert [speaker.lines[0].split()[0] for speaker in voices] == ["one", "three", "three", "six"]


class HalfWords(ScriptedSpeaker):
    """Makes pieces of a word and a half, and dies inside the third word."""

    async def speak(self, line):
        whole = [piece async for piece in ScriptedSpeaker().speak(line)]
        pcm = b"".join(piece.pcm for piece in whole)
        size = len(whole[0].pcm) * 3 // 2 // 2 * 2
        words = words_of(whole)
        yield SpokenAudio(pcm[:size], whole[0].sample_rate, tuple(words[:2]))
        yield SpokenAudio(pcm[size : size + size // 2 * 2], whole[0].sample_rate, tuple(words[2:3]))
        if self.script == "dies":
            yield SpokenAudio(pcm[2 * size : 2 * size + 400], whole[0].sample_rate, tuple(words[3:4]))
            raise UpstreamFault(Outcome.OTHER, "gone")
        yield SpokenAudio(pcm[2 * size :], whole[0].sample_rate, tuple(words[3:]))


async def test_half_a_word_is_held_back_and_never_heard_twice():
    backup = ScriptedSpeaker()
    pieces = await spoken_by(HalfWords("dies"), backup)
    assert backup.lines == ["four five six seven"]
    assert b"".join(piece.pcm for piece in pieces) == b"".join(word_tone(n) for n in (0, 1, 2, 0, 1, 2, 3))


async def test_a_voice_that_ends_well_is_passed_on_whole():
    pieces = await spoken_by(HalfWords("lives"))
    assert b"".join(piece.pcm for piece in pieces) == b"".join(word_tone(n) for n in range(7))
    assert [word.text for word in words_of(pieces)] == TEXT.split()


async def test_without_word_times_the_place_is_the_word_that_the_pace_tells():
    backup = ScriptedSpeaker()
    words = await spoken_by(Untimed("dies-after-5-words"), backup)
    spoken_chars = int(5 * WORD_MS * CHARS_PER_MS)
    assert backup.lines == [TEXT[TEXT.rindex(" ", 0, spoken_chars + 1) + 1 :]]
    assert words_of(words)[-1].last == len(TEXT)
    assert words_of(words)[0].start_ms == 5 * WORD_MS


async def test_a_text_said_to_its_end_has_no_rest():
    said = Said("one two ")
    async for piece in ScriptedSpeaker().speak(Line(said.begin())):
        said.take(piece)
    assert said.begin() == ""
    assert said.end(None) is None
