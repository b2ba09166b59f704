"""One utterance on its way to words: what is told, and when."""

import asyncio
from types import SimpleNamespace

from realtime.protocol import TranscriptFailed
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
