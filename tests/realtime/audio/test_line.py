"""A line is cut without a seam: its frames are what one resampler would have made of the whole."""

import numpy as np
import pytest

from realtime.audio.line import Line, cut_of
from realtime.audio.resample import resample

RATES = (8_000, 16_000, 24_000, 32_000, 48_000)


def clip(rate, seconds=0.5):
    return np.random.default_rng(rate).integers(-20_000, 20_000, int(rate * seconds)).astype("<i2")


def apart(one, other):
    """Products of other shapes round differently."""
    return np.abs(one.astype(int) - other[: len(one)]).max()


@pytest.mark.parametrize("rate", RATES)
def test_frames_and_the_rest_are_the_whole_clip(rate):
    line, samples = Line(rate), clip(rate)
    made = []
    for at in range(0, len(samples), 777):
        line.waiting += samples[at : at + 777].tobytes()
        while line.frames:
            made.append(line.cut.frames([line.take()])[0])
    made.append(line.peek())
    assert line.samples == len(made[-1])
    assert np.array_equal(line.drain(), made[-1])
    assert len(line.peek()) == line.samples == 0
    whole = np.concatenate(made)
    assert 0.5 - len(whole) / 16_000 < 0.004
    assert apart(whole, resample(samples, rate, 16_000)) <= 1


def test_frames_of_many_lines_are_those_of_each():
    lines = [Line(24_000) for _ in range(5)]
    for number, line in enumerate(lines):
        line.waiting += np.roll(clip(24_000), number * 100).tobytes()
    alone = [line.cut.frames([bytearray(line.waiting[: line.cut.window_bytes])])[0] for line in lines]
    together = lines[0].cut.frames([line.take() for line in lines])
    assert together.shape == (5, 512)
    assert max(apart(one, other) for one, other in zip(alone, together, strict=True)) <= 1


def test_what_is_drained_piece_by_piece_joins_without_a_seam():
    line, samples = Line(24_000), clip(24_000)
    pieces = []
    for at in range(0, len(samples), 100):
        line.waiting += samples[at : at + 100].tobytes()
        pieces.append(line.drain())
    whole = np.concatenate(pieces)
    assert len(whole) > 7_900
    assert apart(whole, resample(samples, 24_000, 16_000)) <= 1


def test_a_rate_that_makes_no_whole_frames_is_refused():
    with pytest.raises(ValueError, match="44100 Hz"):
        cut_of(44_100)
