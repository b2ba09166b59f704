"""Speech on this machine: flite in a thread of its own, else espeak-ng in a process of its own.

Voices: local/rms, local/slt, local/kal16, local/awb (flite, from the operating system) and local/espeak (bundled with
the voice extra, or the program `espeak-ng`). local/auto is the first of these that this machine has.
"""

import asyncio
import importlib.util
import io
import json
import shutil
import wave
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from policies import Outcome
from realtime.audio.formats import Samples
from realtime.stages.base import Line, SpokenAudio, WordTime
from realtime.stages.speakable import TAGS
from realtime.stages.trim import trimmed
from realtime.stages.word_times import estimated_times, until_next
from router.upstreams.base import UpstreamFault

from . import flite
from .worker import Worker

ESPEAK_PROGRAM = Path(__file__).parent / "espeak_worker.py"
FLITE_VOICES = ("rms", "slt", "kal16", "awb")
WORDS_PER_MINUTE = 175
PORTION_CHARS = 300
Sentence = tuple[Samples, int, tuple[WordTime, ...]]


def installed_voices() -> tuple[str, ...]:
    """Voices that this machine can speak with, best first."""
    found = [voice for voice in FLITE_VOICES if flite.available(voice)]
    if importlib.util.find_spec("espeakng_loader") is not None or shutil.which("espeak-ng"):
        found.append("espeak")
    return tuple(found)


def portions(text: str) -> list[tuple[int, int]]:
    """A long text in pieces that are synthesised one after the other, cut at spaces: the first sound comes early."""
    cuts: list[tuple[int, int]] = []
    first = 0
    while len(text) - first > PORTION_CHARS:
        space = text.rfind(" ", first + PORTION_CHARS // 2, first + PORTION_CHARS)
        last = space + 1 if space > 0 else first + PORTION_CHARS
        cuts.append((first, last))
        first = last
    return [*cuts, (first, len(text))]


class _Engines:
    """One thread for flite and one worker for espeak-ng, started at first use, shared by all voices."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.thread: ThreadPoolExecutor | None = None
        self.worker: Worker | None = None
        self.starting = asyncio.Lock()


class LocalSpeaker:
    """`local/<voice>`. Belongs to one event loop."""

    def __init__(self, voice: str = "auto", *, timeout_s: float = 20.0) -> None:
        self.voice = voice
        self.steers = False
        self._engines = _Engines(timeout_s)

    def with_voice(self, voice: str) -> "LocalSpeaker":
        """Another voice of the same engines; closing either closes both."""
        other = LocalSpeaker(voice)
        other._engines = self._engines
        return other

    async def speak(self, line: Line) -> AsyncIterator[SpokenAudio]:
        """See the port. A sentence is one piece: these engines give it at once, in 1 to 100 ms."""
        voice = self._chosen(line.voice)
        offset_ms = 0.0
        text = TAGS.sub(lambda tag: " " * len(tag.group()), line.text)  # these voices would read them aloud
        for first, last in portions(text):
            part = replace(line, text=text[first:last])
            samples, rate, words = await (self._espeak(part) if voice == "espeak" else self._flite(part, voice))
            samples, words = trimmed(samples, rate, words)
            duration_ms = len(samples) * 1000 / rate
            measured = bool(words)
            if not measured:
                words = estimated_times(part.text, duration_ms)
            if len(samples):
                moved = tuple(word.moved(offset_ms, first) for word in words)
                yield SpokenAudio(samples.tobytes(), rate, moved, estimated=not measured)
            offset_ms += duration_ms

    async def _flite(self, line: Line, voice: str) -> Sentence:
        if self._engines.thread is None:
            self._engines.thread = ThreadPoolExecutor(1, thread_name_prefix="flite")
        speed = min(max(line.speed, 0.25), 4.0)
        call = partial(flite.synthesise, line.text, voice, speed=speed)
        return await asyncio.get_running_loop().run_in_executor(self._engines.thread, call)

    def _chosen(self, wish: str | None) -> str:
        known = installed_voices()
        name = (wish or self.voice).removeprefix("local/")
        if name in known:
            return name
        own = self.voice.removeprefix("local/")
        if own in known:
            return own
        if own in ("auto", "default") and known:
            return known[0]
        have = ", ".join(known) or "none: install 'flite', or the package 'espeakng-loader'"
        raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"the voice local/{own} is not installed here; there is {have}")

    async def _espeak(self, line: Line) -> Sentence:
        voice = line.language or "en-us"
        pace = round(WORDS_PER_MINUTE * min(max(line.speed, 0.45), 2.5))
        if importlib.util.find_spec("espeakng_loader") is None:
            return await _espeak_program(line.text, voice, pace)
        async with self._engines.starting:
            if self._engines.worker is None or not self._engines.worker.alive:
                self._engines.worker = await Worker.start(ESPEAK_PROGRAM)
        wish = json.dumps({"text": line.text, "voice": voice, "words_per_minute": pace}).encode()
        answer, pcm = await self._engines.worker.ask(b"t", wish, timeout_s=self._engines.timeout_s)
        samples = np.frombuffer(pcm, dtype="<i2")
        starts = [(int(at), float(ms)) for at, _, ms in answer["words"]]
        return samples, int(answer["rate"]), until_next(line.text, starts, len(samples) * 1000 / answer["rate"])

    async def aclose(self) -> None:
        """See the port."""
        if self._engines.thread is not None:
            self._engines.thread.shutdown(wait=False, cancel_futures=True)
        if self._engines.worker is not None:
            await self._engines.worker.aclose()


async def _espeak_program(text: str, voice: str, pace: int) -> Sentence:
    program = shutil.which("espeak-ng") or "espeak-ng"
    try:
        running = await asyncio.create_subprocess_exec(
            *(program, "-v", voice, "-s", str(pace), "--stdin", "--stdout"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise UpstreamFault(Outcome.CONNECT_REFUSED, f"cannot start espeak-ng: {error.strerror}") from error
    try:
        spoken, _ = await running.communicate(text.encode())
    finally:
        if running.returncode is None:
            running.kill()
    if running.returncode != 0 or len(spoken) < 44:
        raise UpstreamFault(Outcome.OTHER, f"espeak-ng ended with {running.returncode} for the voice {voice!r}")
    with wave.open(io.BytesIO(spoken)) as clip:  # its header claims two gigabytes: only the rate is taken from it
        rate = clip.getframerate()
    return np.frombuffer(spoken[44 : len(spoken) - len(spoken) % 2], dtype="<i2"), rate, ()
