"""WAV files: ours read by the standard library, others' read by us."""

import io
import struct
import wave

import numpy as np
import pytest

from realtime.audio.g711 import encode_alaw, encode_ulaw
from realtime.audio.wav import MalformedWav, header, read_wav, wav_bytes

SAMPLES = np.array([0, 1000, -1000, 32767, -32768], dtype=np.int16)


def made(coding, channels, rate, bits, body, *, before=b""):
    form = struct.pack("<HHIIHH", coding, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    parts = before + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WAVE" + parts


def test_what_we_write_the_standard_library_reads():
    with wave.open(io.BytesIO(wav_bytes(SAMPLES.tobytes(), 24_000))) as clip:
        assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (24_000, 1, 2)
        assert clip.readframes(100) == SAMPLES.tobytes()


def test_a_streamed_file_of_unknown_length_is_read_to_its_end():
    samples, rate = read_wav(header(16_000, None) + SAMPLES.tobytes())
    assert (samples.tolist(), rate) == (SAMPLES.tolist(), 16_000)


@pytest.mark.parametrize(
    ("coding", "bits", "body"),
    [
        (1, 16, SAMPLES.tobytes()),
        (1, 32, (SAMPLES.astype("<i4") << 16).tobytes()),
        (1, 24, b"".join(int(s << 8).to_bytes(3, "little", signed=True) for s in SAMPLES.tolist())),
        (3, 32, (SAMPLES / 32768).astype("<f4").tobytes()),
    ],
)
def test_exact_codings_give_the_same_samples(coding, bits, body):
    assert read_wav(made(coding, 1, 8_000, bits, body))[0].tolist() == SAMPLES.tolist()


def test_coarse_codings_come_close_and_channels_are_mixed():
    assert np.abs(read_wav(made(7, 1, 8_000, 8, encode_ulaw(SAMPLES)))[0].astype(int) - SAMPLES).max() <= 700
    assert np.abs(read_wav(made(6, 1, 8_000, 8, encode_alaw(SAMPLES)))[0].astype(int) - SAMPLES).max() <= 700
    assert read_wav(made(1, 1, 8_000, 8, bytes([128, 255, 0])))[0].tolist() == [0, 32512, -32768]
    stereo = np.array([[100, 300], [-100, 100]], dtype="<i2").tobytes()
    assert read_wav(made(1, 2, 8_000, 16, stereo, before=b"LIST\x03\0\0\0abc\0"))[0].tolist() == [200, 0]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"ID3 this is an mp3",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0",
        made(1, 0, 8_000, 16, b"\0\0"),
        made(85, 1, 8_000, 16, b"\0\0"),
        made(1, 1, 1, 16, b"\0\0"),
    ],
)
def test_what_is_no_wav_is_refused_with_a_reason(broken):
    with pytest.raises(MalformedWav, match="WAV"):
        read_wav(broken)
