"""The local voices speak, with word times, and start without silence."""

import asyncio
import os
import shutil
import signal
from itertools import pairwise

import numpy as np
import pytest

from policies import Outcome
from realtime.audio.resample import resample
from realtime.speech import flite, local_tts
from realtime.speech.local_stt import PocketsphinxTranscriber, SphinxSettings
from realtime.speech.local_tts import LocalSpeaker, installed_voices
from realtime.stages.base import Line, Utterance
from router.upstreams.base import UpstreamFault

TEXT = "Can you tell me how long the train takes to London?"
HAS_FLITE = pytest.mark.skipif(not flite.available("rms"), reason="needs libflite1")


async def spoken(speaker, line):
    pieces = [piece async for piece in speaker.speak(line)]
    samples = np.concatenate([np.frombuffer(piece.pcm, dtype="<i2") for piece in pieces])
    return samples, pieces[0].sample_rate, [word for piece in pieces for word in piece.words], pieces[0].estimated


@pytest.fixture
async def speaker():
    made = LocalSpeaker()
    yield made
    await made.aclose()


@pytest.mark.parametrize("voice", installed_voices())
async def test_every_voice_times_every_word_and_starts_at_once(speaker, voice):
    samples, rate, words, estimated = await spoken(speaker, Line(TEXT, voice=f"local/{voice}"))
    assert not estimated
    assert [TEXT[word.first : word.last] for word in words] == TEXT.split()
    times = [ms for word in words for ms in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= len(samples) * 1000 / rate
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 300) * 1000 / rate
    assert loud[0] <= 21
    assert len(samples) * 1000 / rate - loud[-1] <= 121


@HAS_FLITE
async def test_what_it_says_is_understood(speaker):
    samples, rate, _, _ = await spoken(speaker, Line(TEXT, voice="rms"))
    transcriber = PocketsphinxTranscriber(SphinxSettings(processes=1))
    try:
        hearing = await transcriber.open(Utterance())
        hearing.feed(bytes(8_000) + resample(samples, rate, 16_000).tobytes())
        hearing.feed(bytes(8_000))
        assert (await hearing.finish()).text == "can you tell me how long the train takes to london"
    finally:
        await transcriber.aclose()


@HAS_FLITE
async def test_a_word_cut_at_its_end_is_followed_by_the_next_words_sound(speaker):
    """The times are where the words really are: the pause written as a comma lies between its neighbours."""
    samples, rate, words, _ = await spoken(speaker, Line("Stop now, and then go.", voice="rms"))
    now, conjunction = words[1], words[2]
    pause = samples[int(now.end_ms * rate / 1000) : int(conjunction.start_ms * rate / 1000)].astype(float)
    assert conjunction.start_ms - now.end_ms > 30
    assert np.sqrt((pause**2).mean()) < np.sqrt((samples.astype(float) ** 2).mean()) / 2


@pytest.mark.parametrize("voice", [voice for voice in ("rms", "espeak") if voice in installed_voices()])
async def test_speed_changes_the_length(speaker, voice):
    slow = len((await spoken(speaker, Line(TEXT, voice=voice, speed=0.8)))[0])
    fast = len((await spoken(speaker, Line(TEXT, voice=voice, speed=1.5)))[0])
    assert slow > 1.4 * fast


@pytest.mark.parametrize("text", ["", "   ", "…", "!?", "🙂"])
async def test_what_has_no_words_makes_no_sound_and_no_fault(speaker, text):
    assert [piece async for piece in speaker.speak(Line(text))] == []


@pytest.mark.parametrize(
    "text", ["--help", "/etc/passwd", "a\0b", "Ünïcödé naïve café", "你好 hello", "<b>x</b> & %s %n", "x" * 90]
)
async def test_strange_text_is_spoken_as_text(speaker, text):
    samples, rate, words, _ = await spoken(speaker, Line(text))
    assert len(samples) > rate / 10
    assert all(0 <= word.first < word.last <= len(text) for word in words)


async def test_a_long_text_comes_in_pieces_and_its_words_stay_in_their_places(speaker):
    text = "A little sentence of no importance, said again. " * 9
    pieces = [piece async for piece in speaker.speak(Line(text))]
    words = [word for piece in pieces for word in piece.words]
    assert len(pieces) == 2
    assert [text[word.first : word.last] for word in words] == text.split()
    assert words[-1].end_ms <= sum(piece.duration_ms for piece in pieces)
    assert all(a.end_ms <= b.start_ms + 1e-6 for a, b in pairwise(words))


async def test_an_unknown_voice_is_named_with_what_there_is():
    speaker = LocalSpeaker("nobody")
    with pytest.raises(UpstreamFault, match=r"local/nobody is not installed here; there is") as refused:
        await spoken(speaker, Line("hello"))
    assert refused.value.outcome is Outcome.MODEL_NOT_FOUND


async def test_an_unknown_voice_of_a_line_falls_back_to_the_speakers_own():
    speaker = LocalSpeaker(installed_voices()[0])
    samples, _, _, _ = await spoken(speaker, Line("hello", voice="marin"))
    assert len(samples) > 1000
    await speaker.aclose()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
async def test_without_the_bundled_library_the_program_speaks_with_estimated_times(speaker, monkeypatch):
    monkeypatch.setattr(local_tts.importlib.util, "find_spec", lambda name: None)
    samples, rate, words, estimated = await spoken(speaker, Line("-f this is not an option", voice="espeak"))
    assert rate == 22_050
    assert len(samples) > rate / 2
    assert estimated
    assert [word.text for word in words] == ["-f", "this", "is", "not", "an", "option"]


async def test_a_dead_espeak_worker_is_replaced():
    speaker = LocalSpeaker("espeak")
    await spoken(speaker, Line("hello"))
    os.kill(speaker._engines.worker.pid, signal.SIGKILL)
    await speaker._engines.worker._gone
    assert len((await spoken(speaker, Line("hello again")))[0]) > 1000
    await speaker.aclose()


async def test_sentences_asked_for_together_are_all_spoken(speaker):
    made = await asyncio.gather(*(spoken(speaker, Line(f"This is number {n}.")) for n in range(8)))
    assert all(len(samples) > 8_000 for samples, _, _, _ in made)
