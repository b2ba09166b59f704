"""G.711: our tables against an independent implementation, and against the standard's own corner values."""

import sys
import warnings

import numpy as np
import pytest

from realtime.audio import g711

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16)


@pytest.fixture
def oracle():
    if sys.version_info >= (3, 13):
        pytest.skip("the standard library lost its G.711 in 3.13")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    return audioop


def test_every_code_decodes_as_in_the_reference(oracle):
    assert g711.decode_ulaw(ALL_CODES).tobytes() == oracle.ulaw2lin(ALL_CODES, 2)
    assert g711.decode_alaw(ALL_CODES).tobytes() == oracle.alaw2lin(ALL_CODES, 2)


def test_every_sample_encodes_as_in_the_reference(oracle):
    assert g711.encode_ulaw(ALL_SAMPLES) == oracle.lin2ulaw(ALL_SAMPLES.tobytes(), 2)
    assert g711.encode_alaw(ALL_SAMPLES) == oracle.lin2alaw(ALL_SAMPLES.tobytes(), 2)


def test_silence_has_the_standards_codes():
    silence = np.zeros(1, dtype=np.int16)
    assert g711.encode_ulaw(silence) == b"\xff"
    assert g711.encode_alaw(silence) == b"\xd5"


def test_decoding_and_encoding_again_gives_the_same_code():
    assert g711.encode_alaw(g711.decode_alaw(ALL_CODES)) == ALL_CODES
    again = g711.encode_ulaw(g711.decode_ulaw(ALL_CODES))
    assert [code for code in range(256) if again[code] != code] == [0x7F]  # the second zero
