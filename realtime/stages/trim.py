"""Cut the silence that a voice puts around a sentence: at the head it is latency for nothing."""

import numpy as np

from realtime.audio.formats import Samples

from .base import WordTime

AUDIBLE = 300  # of 32768: below this it is silence
HEAD_MS = 20  # kept, so that the first consonant keeps its onset
TAIL_MS = 120  # kept: the pause between two sentences


def trimmed(samples: Samples, rate: int, words: tuple[WordTime, ...]) -> tuple[Samples, tuple[WordTime, ...]]:
    """The sentence without its silence, and its word times shifted along and kept within it."""
    loud = np.flatnonzero((samples > AUDIBLE) | (samples < -AUDIBLE))
    if len(loud) == 0:
        return samples[:0], ()
    first = max(0, int(loud[0]) - HEAD_MS * rate // 1000)
    last = min(len(samples), int(loud[-1]) + 1 + TAIL_MS * rate // 1000)
    cut_ms = first * 1000 / rate
    end_ms = (int(loud[-1]) + 1) * 1000 / rate - cut_ms  # no word is still being said in the tail
    shifted = tuple(
        WordTime(
            word.text,
            min(max(0.0, word.start_ms - cut_ms), end_ms),
            min(max(0.0, word.end_ms - cut_ms), end_ms),
            word.first,
            word.last,
        )
        for word in words
    )
    return samples[first:last], shifted
