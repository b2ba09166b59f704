"""What a voice sounded like in one utterance, measured: speaking rate, pitch, loudness. No guesses about the person.

Pitch is the peak of the normalised autocorrelation in frames of 40 ms (60 to 400 Hz), taken where the frame is loud and
clearly periodic; the profile holds the median. Loudness is the level of the loud half of the frames. The speaking rate
counts the transcript's words over the time between the first and the last loud frame.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from realtime.audio.formats import Samples, to_float

from .base import HEARING_RATE, Transcript, VoiceProfile

FRAME = 640  # 40 ms at 16 kHz
HOP = 320
LOWEST_HZ, HIGHEST_HZ = 60, 400
PERIODIC = 0.5  # normalised autocorrelation of a voiced frame
SILENT_DB = -60.0
MOST_FRAMES = 60  # spread over the utterance, tell the median well enough
FFT_SIZE = 1024  # frame and longest lag together: no wrap-around where it is looked at

Frames = npt.NDArray[np.float32]


def voice_profile(samples: Samples, transcript: Transcript | None = None) -> VoiceProfile:
    """Measure an utterance at 16 kHz. What cannot be measured (silence, no words) stays unknown. About 3 ms."""
    reported = transcript.profile if transcript is not None and transcript.profile is not None else VoiceProfile()
    if len(samples) < FRAME:
        return reported
    line = to_float(samples)
    frames: Frames = np.lib.stride_tricks.sliding_window_view(line, FRAME)[::HOP]
    level = 10 * np.log10(np.mean(frames * frames, axis=1) + 1e-10)
    loud = level > max(SILENT_DB, float(level.max()) - 30)
    if not loud.any() or float(level.max()) <= SILENT_DB:
        return replace(reported, duration_s=round(len(samples) / HEARING_RATE, 3))
    places = np.flatnonzero(loud)
    span_s = float((places[-1] - places[0]) * HOP + FRAME) / HEARING_RATE
    pitches = _pitches(frames[places[:: -(-len(places) // MOST_FRAMES)]])
    words = len(transcript.text.split()) if transcript is not None else 0
    louder = np.sort(level[loud])[len(places) // 2 :]
    return replace(
        reported,
        rate_wpm=round(words / span_s * 60, 1) if words and span_s >= 0.3 else None,
        pitch_hz=round(float(np.median(pitches)), 1) if len(pitches) >= 5 else None,
        pitch_range_hz=_spread(pitches) if len(pitches) >= 5 else None,
        energy_db=round(float(louder.mean()), 1),
        duration_s=round(len(samples) / HEARING_RATE, 3),
    )


def _spread(pitches: npt.NDArray[np.float64]) -> float:
    low, high = np.percentile(pitches, (10, 90))
    return round(float(high - low), 1)


def _pitches(frames: Frames) -> npt.NDArray[np.float64]:
    """Fundamental frequencies of the voiced frames, Hz."""
    centred = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(FRAME).astype(np.float32)
    spectrum = np.fft.rfft(centred, FFT_SIZE, axis=1)
    shortest, longest = HEARING_RATE // HIGHEST_HZ, HEARING_RATE // LOWEST_HZ
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, FFT_SIZE, axis=1)[:, : longest + 2]
    window = np.fft.rfft(np.hanning(FRAME), FFT_SIZE)
    taper = np.fft.irfft(window.real**2 + window.imag**2, FFT_SIZE)[: longest + 2]
    normal = correlation / (correlation[:, :1] + 1e-9) * (taper[0] / np.maximum(taper, taper[0] * 0.05))
    inside = normal[:, shortest:longest]
    best = inside.max(axis=1)
    # The first peak nearly as high as the highest: a whole multiple of the period is as periodic as the period.
    peaks = (inside >= 0.9 * best[:, None]) & (inside >= normal[:, shortest - 1 : longest - 1])
    peaks &= inside >= normal[:, shortest + 1 : longest + 1]
    lags = shortest + np.argmax(peaks, axis=1)
    voiced = (best >= PERIODIC) & peaks.any(axis=1)
    pitches: npt.NDArray[np.float64] = HEARING_RATE / lags[voiced].astype(np.float64)
    return pitches
