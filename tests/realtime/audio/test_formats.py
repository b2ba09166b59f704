"""Formats of the wire."""

import numpy as np
import pytest

from realtime.audio.formats import (
    ALAW_8K,
    PCM16_24K,
    ULAW_8K,
    AudioFormat,
    Decoder,
    Encoding,
    encode,
    to_float,
    to_int16,
)


def test_an_odd_byte_waits_for_its_other_half():
    samples = np.array([1, -2, 300, -32768], dtype=np.int16)
    wire = encode(samples, Encoding.PCM16)
    decoder = Decoder(PCM16_24K)
    parts = [decoder.feed(wire[at : at + 1]) for at in range(len(wire))]
    assert np.concatenate(parts).tolist() == samples.tolist()


def test_reset_forgets_the_odd_byte():
    decoder = Decoder(PCM16_24K)
    decoder.feed(b"\x01")
    decoder.reset()
    assert decoder.feed(b"\x02\x00").tolist() == [2]


@pytest.mark.parametrize("wire_format", [ULAW_8K, ALAW_8K, AudioFormat(Encoding.FLOAT32, 16_000), PCM16_24K])
def test_what_is_encoded_decodes_to_nearly_the_same(wire_format):
    samples = np.array([0, 1000, -1000, 20_000, -30_000], dtype=np.int16)
    back = Decoder(wire_format).feed(encode(samples, wire_format.encoding)).astype(int)
    assert np.abs(back - samples).max() <= 1024  # the coarsest step of G.711


def test_float_audio_is_clipped_and_what_is_no_number_becomes_harmless():
    wire = np.array([2.0, -2.0, np.nan, np.inf, 0.5], dtype="<f4").tobytes()
    decoder = Decoder(AudioFormat(Encoding.FLOAT32, 24_000))
    assert decoder.feed(wire).tolist() == [32767, -32768, 0, 32767, 16384]


def test_floats_and_samples_are_each_others_inverse():
    samples = np.arange(-32768, 32768, 7, dtype=np.int16)
    assert (to_int16(to_float(samples)) == samples).all()


def test_a_format_that_does_not_exist_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"G\.711 is 8000 Hz"):
        AudioFormat(Encoding.ULAW, 16_000)
    with pytest.raises(ValueError, match="not one of 8000"):
        AudioFormat(rate=12_345)


def test_bytes_per_millisecond_follow_rate_and_width():
    assert (PCM16_24K.bytes_per_ms, ULAW_8K.bytes_per_ms) == (48, 8)
