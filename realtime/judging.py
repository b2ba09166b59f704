"""Asks, at a pause of `semantic_vad`, whether the turn is over: the turn model, else the words so far."""

from dataclasses import dataclass

import numpy as np

from .stages.semantic import sounds_complete
from .studio import Studio
from .transcribing import Transcribing

LISTENS_MS = 8_000  # of audio that a turn model hears


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of a pause. Without a turn model there is no probability."""

    complete: bool
    probability: float | None = None
    inference_ms: float | None = None


async def verdict(studio: Studio, utterance: Transcribing | None, audio: bytes, *, confident: float) -> Verdict:
    """Judge a turn by its sound (16 kHz s16le) where there is a turn model, else by its words so far."""
    if studio.turn_model is None:
        transcript = await utterance.peek() if utterance is not None else None
        return Verdict(sounds_complete(transcript.text if transcript is not None else None))
    began_ms = studio.clock_ms()
    probability = await studio.turn_model.probability(np.frombuffer(audio, dtype="<i2"))
    return Verdict(probability > confident, probability, studio.clock_ms() - began_ms)
