"""Voices and ears for tests and measurements: deterministic, instant, and able to fail on demand.

The model's name is the script: `speaks`, `speaks-untimed`, `speaks-steered`, `dies-after-3-words`, `dead`; `hears`,
`dies-at-end`, `dies-while-fed`, `dead`. Every word lasts 100 ms of a quiet tone whose pitch tells the word's number.
"""

import re
from collections.abc import AsyncIterator
from functools import lru_cache

import numpy as np

from policies import Outcome
from realtime.stages.base import Hearing, Line, SpokenAudio, Transcript, Utterance, WordTime
from router.upstreams.base import UpstreamFault

RATE = 24_000
WORD_MS = 100
WORD_SAMPLES = RATE * WORD_MS // 1000
RUNS = re.compile(r"\S+")
DIES_AFTER = re.compile(r"dies-after-(\d+)-words")


@lru_cache(64)
def word_tone(number: int) -> bytes:
    """The sound of the n-th word of a line."""
    angle = 2 * np.pi * (200 + 10 * number) * np.arange(WORD_SAMPLES) / RATE
    return (4000 * np.sin(angle)).astype("<i2").tobytes()


class ScriptedSpeaker:
    """Speaks a word a piece."""

    def __init__(self, script: str = "speaks") -> None:
        self.script = script
        self.steers = script == "speaks-steered"
        self.lines: list[str] = []

    async def speak(self, line: Line) -> AsyncIterator[SpokenAudio]:
        """See the port."""
        self.lines.append(line.text)
        if self.script == "dead":
            raise UpstreamFault(Outcome.CONNECT_REFUSED, "scripted: this voice is dead")
        dies = DIES_AFTER.fullmatch(self.script)
        for number, run in enumerate(RUNS.finditer(line.text)):
            if dies and number >= int(dies[1]):
                raise UpstreamFault(Outcome.RESET_AFTER_COMMIT, "scripted: this voice died in mid-sentence")
            start_ms = float(number * WORD_MS)
            word = WordTime(run.group(), start_ms, start_ms + WORD_MS, run.start(), run.end())
            timed = self.script != "speaks-untimed"
            yield SpokenAudio(word_tone(number), RATE, (word,) if timed else ())

    async def aclose(self) -> None:
        """Nothing to release."""


class ScriptedHearing:
    """Says how much it was fed."""

    def __init__(self, owner: "ScriptedTranscriber", utterance: Utterance) -> None:
        self._owner = owner
        self._utterance = utterance
        self.fed = bytearray()
        self.closed = False

    def feed(self, pcm: bytes) -> None:
        """See the port."""
        if self._owner.script == "dies-while-fed" and len(self.fed) + len(pcm) > 3200:
            raise UpstreamFault(Outcome.RESET_AFTER_COMMIT, "scripted: these ears died")
        self.fed += pcm
        if self._utterance.on_partial is not None:
            self._utterance.on_partial(self._owner.text)

    async def peek(self) -> Transcript | None:
        """See the port."""
        return self._transcript()

    async def finish(self) -> Transcript:
        """See the port."""
        if self._owner.script == "dies-at-end":
            raise UpstreamFault(Outcome.RESET_AFTER_COMMIT, "scripted: these ears died at the end")
        return self._transcript()

    def _transcript(self) -> Transcript:
        return Transcript(self._owner.text, audio_s=len(self.fed) / 32_000)

    def close(self) -> None:
        """See the port."""
        self.closed = True


class ScriptedTranscriber:
    """Hears what it was told to."""

    def __init__(self, script: str = "hears", text: str = "what is the weather like") -> None:
        self.script = script
        self.text = text
        self.opened: list[ScriptedHearing] = []

    async def open(self, utterance: Utterance) -> Hearing:
        """See the port."""
        if self.script == "dead":
            raise UpstreamFault(Outcome.CONNECT_REFUSED, "scripted: these ears are dead")
        hearing = ScriptedHearing(self, utterance)
        self.opened.append(hearing)
        return hearing

    async def aclose(self) -> None:
        """Nothing to release."""
