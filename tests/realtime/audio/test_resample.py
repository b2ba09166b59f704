"""Resampling: how much is held back, how clean it is, and that chunking makes no difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.resample import Resampler, resample

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
PAIRS = [(a, b) for a in RATES for b in RATES if a != b and {a, b} - {22_050, 44_100}]


def tone(rate, hz, seconds=0.5, amplitude=20_000):
    return np.round(amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def level_db(samples):
    middle = samples[300:-300].astype(np.float64)
    return 10 * np.log10((middle**2).mean() + 1e-9)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_comes_out_as_the_same_tone_in_phase(source, target):
    out = resample(tone(source, 1000), source, target)
    assert len(out) == -(-len(tone(source, 1000)) * target // source)
    wanted = 20_000 * np.sin(2 * np.pi * 1000 * np.arange(len(out)) / target)
    error = (out - wanted)[300:-300]
    assert 10 * np.log10((20_000**2 / 2) / (error**2).mean()) > 75


@pytest.mark.parametrize(("source", "target"), [(24_000, 16_000), (48_000, 16_000), (24_000, 8_000), (16_000, 8_000)])
def test_what_the_lower_rate_cannot_hold_is_removed_and_not_folded_back(source, target):
    beyond = tone(source, target / 2 * 1.25)
    assert level_db(resample(beyond, source, target)) < level_db(beyond) - 70


@pytest.mark.parametrize(("source", "target"), [(24_000, 16_000), (16_000, 24_000), (48_000, 16_000), (22_050, 24_000)])
def test_wideband_streams_hold_back_a_millisecond_and_a_half_at_most(source, target):
    held = most_held_ms(source, target)
    assert 0 < held <= 1.5 + 1e-6


@pytest.mark.parametrize(("source", "target"), [(8_000, 16_000), (24_000, 8_000), (8_000, 24_000)])
def test_telephony_holds_back_three_milliseconds_at_most(source, target):
    held = most_held_ms(source, target)
    assert 0 < held <= 3 + 1e-6


def most_held_ms(source, target):
    stream, chunk, given_out, most = Resampler(source, target), source // 50, 0, 0.0
    clip = tone(source, 440)
    for at in range(0, len(clip), chunk):
        given_out += len(stream.feed(clip[at : at + chunk]))
        most = max(most, (min(at + chunk, len(clip)) / source - given_out / target) * 1000)
    return most


@settings(max_examples=40, deadline=None)
@given(
    pair=st.sampled_from([(24_000, 16_000), (16_000, 24_000), (8_000, 24_000), (22_050, 16_000), (16_000, 16_000)]),
    cuts=st.lists(st.integers(0, 1200), max_size=12),
)
def test_chunks_of_any_size_make_the_same_sound(pair, cuts):
    clip = tone(pair[0], 700, 0.2)
    stream, at, parts = Resampler(*pair), 0, []
    for cut in cuts:
        parts.append(stream.feed(clip[at : at + cut]))
        at += cut
    parts += [stream.feed(clip[at:]), stream.flush()]
    whole = resample(clip, *pair)
    out = np.concatenate(parts)
    assert len(out) == len(whole)
    assert np.abs(out.astype(int) - whole).max() <= 1  # float32 sums in another order


def test_a_flushed_stream_starts_anew():
    stream = Resampler(24_000, 16_000)
    first = np.concatenate((stream.feed(tone(24_000, 500)), stream.flush()))
    again = np.concatenate((stream.feed(tone(24_000, 500)), stream.flush()))
    assert (first == again).all()


def test_full_scale_is_clipped_and_does_not_wrap():
    square = np.where(np.arange(4800) // 24 % 2, 32767, -32768).astype(np.int16)
    out = resample(square, 24_000, 16_000).astype(int)
    assert np.abs(np.diff(np.sign(out[100:-100]))).sum() < 2 * len(out) / 15  # no sign flips of wrapped peaks


def test_equal_rates_pass_through():
    stream = Resampler(16_000, 16_000)
    assert stream.delay_ms == 0
    assert (stream.feed(tone(16_000, 300)) == tone(16_000, 300)).all()
    assert len(stream.flush()) == 0
