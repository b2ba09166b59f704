"""The local recogniser hears real voices, in processes that may die."""

import asyncio
import os
import signal

import numpy as np
import pytest

from policies import Outcome
from realtime.speech.local_stt import PocketsphinxTranscriber, SphinxSettings
from realtime.stages.base import Utterance
from router.upstreams.base import UpstreamFault

QUESTION = "can you tell me how long the train takes to london"
SENTENCES = (QUESTION, "please turn on the light in the kitchen", "what is the weather like in paris today")


@pytest.fixture
async def transcriber():
    made = PocketsphinxTranscriber(SphinxSettings(processes=1))
    yield made
    await made.aclose()


@pytest.fixture
def grammar(tmp_path):
    path = tmp_path / "sentences.jsgf"
    path.write_text("#JSGF V1.0;\ngrammar s;\npublic <s> = " + " | ".join(SENTENCES) + ";\n")
    return path


def feed(hearing, samples):
    pcm = samples.tobytes()
    for at in range(0, len(pcm), 640):
        hearing.feed(pcm[at : at + 640])


async def hear(transcriber, samples, **options):
    hearing = await transcriber.open(Utterance(**options))
    feed(hearing, samples)
    return await hearing.finish()


def word_errors(said, heard):
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


async def test_it_hears_the_question_with_word_times_and_partial_texts(transcriber, caller):
    partials = []
    samples = caller()
    transcript = await hear(transcriber, samples, on_partial=partials.append)
    assert transcript.text == QUESTION
    assert [transcript.text[w.first : w.last] for w in transcript.words] == QUESTION.split()
    times = [ms for word in transcript.words for ms in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] <= len(samples) / 16
    assert transcript.audio_s == pytest.approx(len(samples) / 16_000)
    assert "can you tell me" in partials


async def test_a_grammar_makes_it_exact_for_every_voice(grammar, caller):
    transcriber = PocketsphinxTranscriber(SphinxSettings(processes=1, grammar=grammar))
    try:
        for voice in ("rms", "slt", "kal16", "awb"):
            for said in SENTENCES:
                assert (await hear(transcriber, caller(said, voice))).text == said
    finally:
        await transcriber.aclose()


async def test_one_pass_errs_in_less_than_a_fifth_of_the_words(transcriber, caller):
    errors = words = 0
    for voice in ("rms", "kal16"):
        for said in SENTENCES:
            heard = (await hear(transcriber, caller(said, voice))).text
            errors += word_errors(said.split(), heard.split())
            words += len(said.split())
    assert errors / words < 0.2


async def test_peeking_tells_the_text_and_does_not_end_the_utterance(transcriber, caller):
    hearing = await transcriber.open(Utterance())
    feed(hearing, np.concatenate((caller(), np.zeros(4000, dtype=np.int16))))
    assert (await hearing.peek()).text == QUESTION
    feed(hearing, caller("please turn on the light in the kitchen"))
    final = (await hearing.finish()).text
    assert final.startswith(QUESTION)
    assert len(final.split()) > len(QUESTION.split()) + 4


async def test_utterances_beyond_the_processes_wait_and_catch_up(transcriber, caller):
    hearings = [await transcriber.open(Utterance()) for _ in range(3)]
    assert await hearings[2].peek() is None
    for hearing in hearings:
        feed(hearing, caller())
    hearings[1].close()
    hearings[1].close()
    texts = await asyncio.gather(hearings[2].finish(), hearings[0].finish())
    assert [transcript.text for transcript in texts] == [QUESTION, QUESTION]
    with pytest.raises(UpstreamFault):
        await hearings[1].finish()


async def test_a_full_backlog_is_refused(transcriber):
    await transcriber.open(Utterance())
    waiting = await transcriber.open(Utterance())
    minute = bytes(60 * 32_000)
    waiting.feed(minute)
    waiting.feed(minute)
    with pytest.raises(UpstreamFault) as refused:
        waiting.feed(b"\0\0")
    assert refused.value.outcome is Outcome.OVERLOADED
    waiting.close()


async def test_a_dead_worker_fails_its_utterance_and_is_replaced(transcriber, caller):
    hearing = await transcriber.open(Utterance())
    next_one = await transcriber.open(Utterance())
    feed(next_one, caller())
    os.kill(hearing.worker.pid, signal.SIGKILL)
    with pytest.raises(UpstreamFault) as died:
        await hearing.finish()
    assert died.value.outcome is Outcome.RESET_AFTER_COMMIT
    assert (await next_one.finish()).text == QUESTION


async def test_settings_a_decoder_cannot_take_are_a_fault_and_not_a_hang(caller, tmp_path):
    transcriber = PocketsphinxTranscriber(SphinxSettings(processes=1, grammar=tmp_path / "missing.jsgf"))
    with pytest.raises(UpstreamFault):
        await hear(transcriber, caller())
    await transcriber.aclose()


async def test_silence_is_heard_as_nothing(transcriber):
    assert len((await hear(transcriber, np.zeros(16_000, dtype=np.int16))).words) <= 1


def test_settings_become_the_decoders(tmp_path):
    exact = SphinxSettings(grammar=tmp_path / "g", passes=3, hurried=True, dictionary=tmp_path / "d").decoder()
    assert exact["jsgf"].endswith("g")
    assert "fwdflat" not in exact
    assert exact["ds"] == 2
    plain = SphinxSettings(language_model=tmp_path / "l", acoustic_model=tmp_path / "h").decoder()
    assert plain["lm"].endswith("l")
    assert plain["fwdflat"] is False
