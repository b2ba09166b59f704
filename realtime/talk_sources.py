"""What `talk` says to the router: a WAV file, a sentence spoken by this machine, or the microphone.

Every source gives PCM16 at 24 kHz, mono, in chunks of 20 ms; a microphone gives them as they come and never ends.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np

from router.upstreams.base import UpstreamFault

from .audio.formats import Samples
from .audio.resample import resample
from .audio.wav import read_wav
from .speech.local_tts import LocalSpeaker
from .stages.base import Line

RATE = 24_000
CHUNK_S = 0.02
CHUNK_BYTES = int(RATE * CHUNK_S) * 2
RECORDERS = {
    "arecord": ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE)),
    "parecord": ("--raw", "--format=s16le", "--channels=1", f"--rate={RATE}", "--latency-msec=20"),
}


class NoSourceError(RuntimeError):
    """There is nothing to say, or nothing to say it with; the message says what to do."""


def from_file(path: Path) -> bytes:
    """The samples of a WAV file. Raises NoSourceError."""
    try:
        samples, rate = read_wav(path.read_bytes())
    except OSError as error:
        raise NoSourceError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (ValueError, UpstreamFault) as error:
        raise NoSourceError(f"{str(path)!r}: {error}") from error
    return _at_wire_rate(samples, rate)


async def spoken(text: str, voice: str) -> bytes:
    """A sentence in a voice of this machine. Raises NoSourceError."""
    speaker = LocalSpeaker(voice)
    try:
        async with aclosing(speaker.speak(Line(text))) as audio:  # type: ignore[type-var]  # speakers are generators
            return b"".join(
                [_at_wire_rate(np.frombuffer(piece.pcm, dtype="<i2"), piece.sample_rate) async for piece in audio]
            )
    except UpstreamFault as fault:
        raise NoSourceError(
            f"this machine cannot speak ({fault}); install flite or espeak-ng, or give a WAV"
        ) from fault
    finally:
        await speaker.aclose()


def _at_wire_rate(samples: Samples, rate: int) -> bytes:
    return resample(samples, rate, RATE).astype("<i2").tobytes()


async def in_real_time(pcm: bytes) -> AsyncIterator[bytes]:
    """As a microphone would give it: a chunk each 20 ms on an absolute schedule, silence after the end, forever."""
    loop = asyncio.get_running_loop()
    started_s, count = loop.time(), 0
    while True:
        chunk = pcm[count * CHUNK_BYTES : (count + 1) * CHUNK_BYTES]
        yield chunk.ljust(CHUNK_BYTES, b"\0")
        count += 1
        await asyncio.sleep(max(0.0, started_s + count * CHUNK_S - loop.time()))


async def microphone() -> AsyncIterator[bytes]:
    """Whatever records on this machine. Raises NoSourceError."""
    program = next((name for name in RECORDERS if shutil.which(name)), None)
    if program is None:
        names = " or ".join(RECORDERS)
        raise NoSourceError(f'no microphone: {names} is not installed. Use --say "…" or give a WAV file.')
    recorder = await asyncio.create_subprocess_exec(
        program, *RECORDERS[program], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        while recorder.stdout is not None:
            try:
                yield await recorder.stdout.readexactly(CHUNK_BYTES)
            except asyncio.IncompleteReadError as error:
                raise NoSourceError(f"{program} stopped recording (is there a microphone?)") from error
    finally:
        if recorder.returncode is None:
            recorder.kill()
        await recorder.wait()
