"""G.711 µ-law and A-law by table: 256 entries to decode, 65 536 to encode.

The tables are made from the definition (ITU-T G.711; 14-bit µ-law, 13-bit A-law input) at first use.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
Codes = npt.NDArray[np.uint8]

ULAW_BIAS = 33  # of the 14-bit magnitude
ULAW_CLIP = 8158  # the largest magnitude that still fits with the bias


@cache
def ulaw_to_linear() -> Samples:
    """256 samples, indexed by code."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 0x0F
    magnitude = ((((mantissa << 1) | ULAW_BIAS) << exponent) - ULAW_BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@cache
def linear_to_ulaw() -> Codes:
    """65 536 codes, indexed by the sample's bit pattern (uint16)."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    magnitude = np.minimum(np.abs(sample), ULAW_CLIP) + ULAW_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    sign = np.where(sample < 0, 0x80, 0)
    codes: Codes = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


@cache
def alaw_to_linear() -> Samples:
    """256 samples, indexed by code."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 0x0F
    low = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, low, (low + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


@cache
def linear_to_alaw() -> Codes:
    """65 536 codes, indexed by the sample's bit pattern (uint16)."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    mask = np.where(sample >= 0, 0xD5, 0x55)
    magnitude = np.where(sample >= 0, sample, -sample - 1)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = np.where(exponent < 2, magnitude >> 1, magnitude >> exponent) & 0x0F
    return (((exponent << 4) | mantissa) ^ mask).astype(np.uint8)


def decode_ulaw(codes: bytes) -> Samples:
    """µ-law bytes to s16 samples."""
    return ulaw_to_linear()[np.frombuffer(codes, dtype=np.uint8)]


def encode_ulaw(samples: Samples) -> bytes:
    """s16 samples to µ-law bytes."""
    return linear_to_ulaw()[samples.view(np.uint16)].tobytes()


def decode_alaw(codes: bytes) -> Samples:
    """A-law bytes to s16 samples."""
    return alaw_to_linear()[np.frombuffer(codes, dtype=np.uint8)]


def encode_alaw(samples: Samples) -> bytes:
    """s16 samples to A-law bytes."""
    return linear_to_alaw()[samples.view(np.uint16)].tobytes()
