"""Real voices for the tests of this floor."""

import shutil
import subprocess
import wave
from functools import cache

import numpy as np
import pytest

QUESTION = "can you tell me how long the train takes to london"


def flite_says(text, voice, folder):
    path = folder / f"{voice}.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    with wave.open(str(path)) as clip:
        assert clip.getframerate() == 16_000
        return np.frombuffer(clip.readframes(clip.getnframes()), dtype=np.int16)


@pytest.fixture(scope="session")
def caller(tmp_path_factory):
    """A function from text (and voice) to 16 kHz samples, spoken by an independent program."""
    if shutil.which("flite") is None:
        pytest.skip("the caller's voice needs the program 'flite'")
    folder = tmp_path_factory.mktemp("voices")

    @cache
    def says(text=QUESTION, voice="rms"):
        return flite_says(text, voice, folder)

    return says
