"""WAV files of s16 mono, in memory: written for uploads, read tolerantly (unknown chunks, streaming lengths)."""

import struct

import numpy as np
import numpy.typing as npt

from .formats import Samples
from .g711 import decode_alaw, decode_ulaw

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
HEADER_BYTES = 44
STREAMING = 0xFFFFFFFF  # a length nobody knows yet


class MalformedWav(ValueError):  # noqa: N818  it says what is wrong with the bytes
    """The bytes are not a WAV file that can be read here."""


def header(rate: int, pcm_bytes: int | None) -> bytes:
    """The 44 bytes before s16le mono samples; None: as many as follow until the end of the stream."""
    size = STREAMING if pcm_bytes is None else pcm_bytes
    riff = STREAMING if pcm_bytes is None else pcm_bytes + 36
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", riff, b"WAVE", b"fmt ", 16, PCM, 1, rate, rate * 2, 2, 16)
    return form + struct.pack("<4sI", b"data", size)


def wav_bytes(pcm: bytes, rate: int) -> bytes:
    """s16le mono samples as a WAV file."""
    return header(rate, len(pcm)) + pcm


def read_wav(content: bytes) -> tuple[Samples, int]:
    """Samples (channels mixed to mono) and their rate. Raises MalformedWav."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise MalformedWav("not a WAV file: it does not begin with RIFF…WAVE")
    at = 12
    form: tuple[int, int, int, int] | None = None  # coding, channels, rate, bits
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if coding == EXTENSIBLE and len(body) >= 26:
                coding = int.from_bytes(body[24:26], "little")
            form = (coding, channels, rate, bits)
        elif name == b"data":
            if form is None:
                raise MalformedWav("the WAV file has no format before its samples")
            return _samples(body, form), form[2]
        at += 8 + size + size % 2
    raise MalformedWav("the WAV file has no samples")


def _samples(body: bytes, form: tuple[int, int, int, int]) -> Samples:
    coding, channels, rate, bits = form
    if not 1 <= channels <= 8 or not 1_000 <= rate <= 384_000:
        raise MalformedWav(f"a WAV file of {channels} channels at {rate} Hz cannot be read")
    whole = body[: len(body) - len(body) % (channels * max(1, bits // 8))]
    flat: npt.NDArray[np.float32]
    if (coding, bits) == (PCM, 16):
        flat = np.frombuffer(whole, dtype="<i2").astype(np.float32)
    elif (coding, bits) == (PCM, 8):
        flat = (np.frombuffer(whole, dtype=np.uint8).astype(np.float32) - 128) * 256
    elif (coding, bits) == (PCM, 24):
        parts = np.frombuffer(whole, dtype=np.uint8).reshape(-1, 3)
        flat = (parts[:, 1].astype(np.uint16) | (parts[:, 2].astype(np.uint16) << 8)).view(np.int16).astype(np.float32)
    elif (coding, bits) == (PCM, 32):
        flat = np.frombuffer(whole, dtype="<i4").astype(np.float32) * np.float32(1 / 65536)
    elif (coding, bits) == (FLOAT, 32):
        floats = np.frombuffer(whole, dtype="<f4").astype(np.float32)
        flat = np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0) * np.float32(32768)
    elif coding == ULAW:
        flat = decode_ulaw(whole).astype(np.float32)
    elif coding == ALAW:
        flat = decode_alaw(whole).astype(np.float32)
    else:
        raise MalformedWav(f"WAV coding {coding} with {bits} bits is not supported; send 16-bit PCM")
    mixed = flat.reshape(-1, channels).mean(axis=1) if channels > 1 else flat
    return np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
