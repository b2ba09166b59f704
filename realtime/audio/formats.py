"""Audio formats of the wire, and the stream that turns their bytes into samples.

Inside the house audio is s16 mono; an odd byte of a chunk waits for the next one, it is neither dropped nor refused.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from . import g711

Samples = npt.NDArray[np.int16]

PCM_RATES = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)


class Encoding(StrEnum):
    """How one sample is written."""

    PCM16 = "pcm16"  # signed 16 bit, little endian
    ULAW = "ulaw"
    ALAW = "alaw"
    FLOAT32 = "float32"  # little endian, full scale 1.0


SAMPLE_BYTES = {Encoding.PCM16: 2, Encoding.ULAW: 1, Encoding.ALAW: 1, Encoding.FLOAT32: 4}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An encoding at a rate, mono."""

    encoding: Encoding = Encoding.PCM16
    rate: int = 24_000

    def __post_init__(self) -> None:
        if self.encoding in (Encoding.ULAW, Encoding.ALAW) and self.rate != 8_000:
            raise ValueError(f"G.711 is 8000 Hz, got {self.rate}")
        if self.rate not in PCM_RATES:
            raise ValueError(f"sample rate {self.rate} is not one of {', '.join(map(str, PCM_RATES))}")

    @property
    def bytes_per_ms(self) -> float:
        """Wire bytes of one millisecond."""
        return self.rate * SAMPLE_BYTES[self.encoding] / 1000


PCM16_24K = AudioFormat()
PCM16_16K = AudioFormat(rate=16_000)
ULAW_8K = AudioFormat(Encoding.ULAW, 8_000)
ALAW_8K = AudioFormat(Encoding.ALAW, 8_000)


class Decoder:
    """Bytes of a format to s16 samples, chunk by chunk."""

    __slots__ = ("_rest", "format")

    def __init__(self, audio_format: AudioFormat) -> None:
        self.format = audio_format
        self._rest = b""

    def feed(self, chunk: bytes) -> Samples:
        """All whole samples so far; the bytes of an unfinished one wait."""
        encoding = self.format.encoding
        if encoding is Encoding.ULAW:
            return g711.decode_ulaw(chunk)
        if encoding is Encoding.ALAW:
            return g711.decode_alaw(chunk)
        width = SAMPLE_BYTES[encoding]
        whole = self._rest + chunk if self._rest else chunk
        odd = len(whole) % width
        self._rest = whole[len(whole) - odd :] if odd else b""
        body = whole[: len(whole) - odd] if odd else whole
        if encoding is Encoding.FLOAT32:
            floats = np.nan_to_num(np.frombuffer(body, dtype="<f4"), nan=0.0, posinf=1.0, neginf=-1.0)
            return to_int16(floats)
        return np.frombuffer(body, dtype="<i2")

    def pcm(self, chunk: bytes) -> bytes:
        """The same as s16le: PCM16 of whole samples, nearly all there is, goes through as it came."""
        if self.format.encoding is Encoding.PCM16 and not self._rest and not len(chunk) % 2:
            return chunk
        return self.feed(chunk).astype("<i2", copy=False).tobytes()

    def reset(self) -> None:
        """Forget an unfinished sample (buffer cleared, format changed)."""
        self._rest = b""


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Samples as bytes of the wire."""
    if encoding is Encoding.ULAW:
        return g711.encode_ulaw(samples)
    if encoding is Encoding.ALAW:
        return g711.encode_alaw(samples)
    if encoding is Encoding.FLOAT32:
        return (samples.astype("<f4") / np.float32(32768)).tobytes()
    return samples.astype("<i2", copy=False).tobytes()


def to_float(samples: Samples) -> npt.NDArray[np.float32]:
    """Samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) * np.float32(1 / 32768)


def to_int16(floats: npt.NDArray[np.float32]) -> Samples:
    """Float samples in [-1, 1] as s16, rounded, clipped at full scale."""
    return np.clip(np.rint(floats * 32768), -32768, 32767).astype(np.int16)
