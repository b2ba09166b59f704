"""One utterance on its way to words: what is told, and when."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from realtime.protocol import TranscriptFailed
from realtime.stages.base import Transcript
from realtime.stages.voice_profile import voice_profile
from realtime.transcribing import Transcribing
from router.config import Realtime
from router.refusal import Refusal


class NoRouter:
    """Refuses at once: no target hears."""

    def walk(self, *_arguments, **_more):
        raise Refusal(404, "nobody hears", code="model_not_found")


async def test_a_failure_before_the_end_of_the_utterance_is_told_at_its_end():
    told = []
    studio = SimpleNamespace(router=NoRouter(), settings=Realtime(), clock_ms=lambda: 7.0)
    transcribing = Transcribing(studio, "item_1", {}, told.append)
    task = asyncio.create_task(transcribing.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == []
    transcribing.commit()
    await task
    expected = TranscriptFailed(
        item_id="item_1", code="model_not_found", message="nobody hears", attempts=(), at_ms=7.0
    )
    assert told == [expected]


@pytest.mark.parametrize(("seconds", "at_once"), [(2, True), (11, False)])
async def test_only_a_long_utterance_leaves_the_loop_to_have_its_voice_measured(seconds, at_once):
    samples = np.random.default_rng(seconds).normal(0, 2000, 16_000 * seconds).astype("<i2")
    transcribing = Transcribing(SimpleNamespace(), "item_1", {}, [].append)
    transcribing.feed(samples.tobytes())
    said = Transcript("some words")
    task = asyncio.create_task(transcribing.profile(said))
    await asyncio.sleep(0)
    assert task.done() is at_once
    assert await task == voice_profile(samples, said)
