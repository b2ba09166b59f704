"""What a voice sounded like in one utterance, measured: speaking rate, pitch, loudness. No guesses about the person.

Pitch is the peak of the normalised autocorrelation in frames of 40 ms (60 to 400 Hz), taken where the frame is loud and
clearly periodic; the profile holds the median. It is looked for at 4 kHz, a parabola through the peak finds what lies
between two lags. Loudness is the level of the loud half of the frames. The speaking rate counts the transcript's words
over the time between the first and the last loud frame.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from realtime.audio.formats import Samples, to_float

from .base import HEARING_RATE, Transcript, VoiceProfile

HOP = 320  # half a frame, 20 ms at 16 kHz
THINNED = 4  # samples as one, where pitch is looked for
PITCH_RATE = HEARING_RATE // THINNED
PITCH_FRAME = 2 * HOP // THINNED  # 40 ms
LOWEST_HZ, HIGHEST_HZ = 60, 400
SHORTEST, LONGEST = PITCH_RATE // HIGHEST_HZ, PITCH_RATE // LOWEST_HZ  # lags
PERIODIC = 0.5  # normalised autocorrelation of a voiced frame
SILENT_DB = -60.0
MOST_FRAMES = 40  # spread over the utterance, tell the median well enough
FFT_SIZE = 240  # frame and longest lag together: no wrap-around where it is looked at

Floats = npt.NDArray[np.float32]
Pitches = npt.NDArray[np.float64]


def voice_profile(samples: Samples, transcript: Transcript | None = None) -> VoiceProfile:
    """Measure an utterance at 16 kHz. What cannot be measured (silence, no words) stays unknown. About 0.5 ms."""
    reported = transcript.profile if transcript is not None and transcript.profile is not None else VoiceProfile()
    hops = len(samples) // HOP
    if hops < 2:
        return reported
    line = to_float(samples[: hops * HOP])
    power = np.square(line).reshape(hops, HOP).mean(axis=1)
    level = 10 * np.log10((power[1:] + power[:-1]) / 2 + 1e-10)
    loud = level > max(SILENT_DB, float(level.max()) - 30)
    if not loud.any() or float(level.max()) <= SILENT_DB:
        return replace(reported, duration_s=round(len(samples) / HEARING_RATE, 3))
    places = np.flatnonzero(loud)
    span_s = float((places[-1] - places[0] + 2) * HOP) / HEARING_RATE
    looked_at = places[:: -(-len(places) // MOST_FRAMES)]
    pitch_hz, range_hz = _median_and_spread(_pitches(line.reshape(-1, THINNED).sum(axis=1), looked_at))
    words = len(transcript.text.split()) if transcript is not None else 0
    louder = np.sort(level[loud])[len(places) // 2 :]
    return replace(
        reported,
        rate_wpm=round(words / span_s * 60, 1) if words and span_s >= 0.3 else None,
        pitch_hz=pitch_hz,
        pitch_range_hz=range_hz,
        energy_db=round(float(louder.mean()), 1),
        duration_s=round(len(samples) / HEARING_RATE, 3),
    )


def _median_and_spread(pitches: Pitches) -> tuple[float | None, float | None]:
    if len(pitches) < 5:
        return None, None
    low, middle, high = np.sort(pitches)[[len(pitches) // 10, len(pitches) // 2, len(pitches) * 9 // 10]]
    return round(float(middle), 1), round(float(high - low), 1)


@cache
def _window() -> tuple[Floats, Floats]:
    """The frame's window, and what the window does to the autocorrelation, to be taken back."""
    window: Floats = np.hanning(PITCH_FRAME).astype(np.float32)
    taper = _correlation(window[None])[0]
    return window, taper[0] / np.maximum(taper, taper[0] * 0.05)


def _correlation(frames: Floats) -> Floats:
    spectrum = np.fft.rfft(frames, FFT_SIZE, axis=1)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, FFT_SIZE, axis=1)
    return correlation[:, : LONGEST + 2].astype(np.float32, copy=False)


def _pitches(line: Floats, hops: npt.NDArray[np.intp]) -> Pitches:
    """Fundamental frequencies of the voiced ones among the frames that begin at these hops, Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(line, PITCH_FRAME)[hops * (HOP // THINNED)]
    window, untaper = _window()
    correlation = _correlation((frames - frames.mean(axis=1, keepdims=True)) * window)
    normal = correlation / (correlation[:, :1] + 1e-9) * untaper
    before, top, behind = (normal[:, SHORTEST + shift : LONGEST + shift] for shift in (-1, 0, 1))
    bend = np.maximum(2 * top - before - behind, 1e-6)
    aside = (behind - before) / (2 * bend)  # of a peak, from its lag
    height = np.where((top >= before) & (top >= behind), top + aside * (behind - before) / 4, 0)
    best = height.max(axis=1, keepdims=True)
    # The first peak nearly as high as the highest: a whole multiple of the period is as periodic as the period.
    first = (height >= 0.9 * best).argmax(axis=1)
    voiced = np.flatnonzero(best >= PERIODIC)
    pitches: Pitches = PITCH_RATE / (SHORTEST + first[voiced] + aside[voiced, first[voiced]])
    return pitches
