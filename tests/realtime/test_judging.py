"""Who judges a pause: the sound where there is a model, else the words."""

import pytest

from realtime.judging import verdict
from realtime.stages.base import Transcript
from realtime.studio import Studio
from router.config import Realtime


class Words:
    """An utterance that was heard so far."""

    def __init__(self, text):
        self.text = text

    async def peek(self):
        return None if self.text is None else Transcript(self.text)


class ByEar:
    """A turn model whose answer is the length of what it hears, in seconds."""

    async def probability(self, samples):
        return len(samples) / 16_000


@pytest.fixture
def studio():
    return Studio(router=None, settings=Realtime(), batcher=None, speech=None)


async def test_words_decide_without_a_turn_model(studio):
    assert (await verdict(studio, Words("what time is it"), b"", confident=0.5)).complete
    assert not (await verdict(studio, Words("turn on the"), bytes(4000), confident=0.5)).complete
    assert (await verdict(studio, Words(None), b"", confident=0.5)).complete
    assert (await verdict(studio, None, b"", confident=0.5)).probability is None


async def test_the_sound_decides_where_there_is_a_turn_model_and_the_client_says_how_sure_it_must_be(studio):
    studio.turn_model = ByEar()
    heard = await verdict(studio, Words("turn on the"), bytes(19_200), confident=0.5)
    assert (heard.complete, heard.probability) == (True, 0.6)
    assert heard.inference_ms >= 0
    assert not (await verdict(studio, Words("what time is it"), bytes(19_200), confident=0.7)).complete
