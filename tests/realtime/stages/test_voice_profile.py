"""Voice profiles of synthetic and of real voices."""

import numpy as np
import pytest

from realtime.stages.base import Transcript, VoiceProfile
from realtime.stages.voice_profile import voice_profile


def buzz(hz, seconds=2.0, amplitude=8000):
    """A voice-like sound: a fundamental with falling harmonics."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    wave = sum(np.sin(2 * np.pi * hz * n * t) / n for n in range(1, 8) if hz * n < 7000)
    return (amplitude * wave / np.abs(wave).max()).astype(np.int16)


@pytest.mark.parametrize("hz", [75, 100, 130, 180, 220, 300, 380])
def test_pitch_is_the_fundamental_and_not_a_multiple(hz):
    profile = voice_profile(buzz(hz))
    assert profile.pitch_hz == pytest.approx(hz, rel=0.03)
    assert profile.pitch_range_hz < 5


def test_loudness_follows_the_level_in_decibels():
    loud, soft = voice_profile(buzz(150)), voice_profile(buzz(150, amplitude=800))
    assert loud.energy_db - soft.energy_db == pytest.approx(20, abs=0.3)


def test_noise_has_no_pitch_and_silence_has_nothing():
    noise = np.random.default_rng(3).normal(0, 3000, 32_000).astype(np.int16)
    assert voice_profile(noise).pitch_hz is None
    assert voice_profile(np.zeros(16_000, dtype=np.int16)) == VoiceProfile(duration_s=1.0)
    assert voice_profile(np.zeros(10, dtype=np.int16)) == VoiceProfile()


def test_the_speaking_rate_counts_words_over_the_time_spoken():
    clip = np.concatenate((np.zeros(16_000, dtype=np.int16), buzz(120), np.zeros(16_000, dtype=np.int16)))
    assert voice_profile(clip, Transcript("one two three four")).rate_wpm == pytest.approx(120, rel=0.05)


def test_a_womans_voice_is_higher_than_a_mans_and_a_hurried_one_faster(caller):
    text = "can you tell me how long the train takes to london"
    man, woman = (voice_profile(caller(text, voice), Transcript(text)) for voice in ("rms", "slt"))
    assert 70 < man.pitch_hz < 140 < woman.pitch_hz < 260
    assert 120 < man.rate_wpm < 280
    assert man.facts().keys() == {"rate_wpm", "pitch_hz", "pitch_range_hz", "energy_db", "duration_s"}


def test_what_a_provider_reports_is_kept_and_nothing_else_is_made_up():
    told = Transcript("hi", profile=VoiceProfile(emotion="happy", accent="scottish"))
    profile = voice_profile(buzz(120), told)
    assert (profile.emotion, profile.accent, profile.age) == ("happy", "scottish", None)
    assert profile.pitch_hz
