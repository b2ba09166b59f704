"""The input side of a session: what is kept until the detector has looked at it."""

import numpy as np

from realtime.ear import KEPT_QUIET_MS, Ear
from realtime.protocol import AudioFormat, TurnDetection
from realtime.stages.base import SpeechStarted

FRAME = 512


class LateBatcher:
    """A detector that looks when it is told to."""

    def __init__(self):
        self.frames = []

    def stream(self, listener):
        self.listener = listener
        return self

    def feed(self, samples):
        whole = len(samples) // FRAME * FRAME
        self.frames += [samples[at : at + FRAME] for at in range(0, whole, FRAME)]

    def close(self):
        self.frames.clear()

    def refresh(self):
        """The recurrent state of a model that is not there."""

    def score(self, probability, frames):
        for frame in self.frames[:frames]:
            self.listener(probability, frame)
        del self.frames[:frames]


def listening(tell):
    batcher = LateBatcher()
    ear = Ear(batcher, tell)
    ear.tune(AudioFormat("pcm16", 16_000), TurnDetection(), suggest_after_ms=None)
    return ear, batcher


def test_sound_that_came_faster_than_the_detector_looks_is_kept():
    events = []
    ear, batcher = listening(events.append)
    spoken = np.arange(16_000 * 6, dtype="<i2").tobytes()
    for at in range(0, len(spoken), 32_000):
        ear.hear(spoken[at : at + 32_000])
    batcher.score(0.9, 5)
    (started,) = [event for event in events if isinstance(event, SpeechStarted)]
    assert ear.between(started.at_ms)[:64] == spoken[:64]
    assert len(ear.between(0)) == len(spoken)


def test_quiet_that_was_looked_at_is_forgotten():
    ear, batcher = listening(lambda _: None)
    ear.hear(bytes(32_000 * 6))
    batcher.score(0.0, len(batcher.frames))
    ear.hear(bytes(2_000))
    kept_ms = len(ear.between(0)) / 32
    assert KEPT_QUIET_MS < kept_ms < KEPT_QUIET_MS + 500
