"""The caller of the voice benchmark: knows only the audio it sends. Runs on a core of its own.

Each session sends 20 ms of 24 kHz PCM on an absolute schedule, soft noise between utterances, never a gap; frames are
made once, so that the tester costs little. A round is a question, a wait into the reply, and an interruption of it.
"""

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import websockets

RATE = 24_000
CHUNK_S = 0.02
SAMPLES = int(RATE * CHUNK_S)
QUIET_DB = 12  # standard deviation of the noise, LSB
INTO_REPLY_S = 1.0
PATIENCE_S = 20.0

Values = list[float]


@dataclass(slots=True)
class Seen:
    """What all sessions of one size measured, milliseconds. `late` counts audio after its response was cancelled."""

    stopped: Values = field(default_factory=list)  # last speech sample -> speech_stopped, beyond the silence asked for
    first_audio: Values = field(default_factory=list)  # speech_stopped -> first audio
    answered: Values = field(default_factory=list)  # last speech sample -> first audio
    cancelled: Values = field(default_factory=list)  # first interrupting sample -> response.done, cancelled
    jitter: Values = field(default_factory=list)  # of our own sending
    late: int = 0
    errors: int = 0


def frames_of(samples: np.ndarray) -> list[str]:
    """Audio as ready append events."""
    padded = np.pad(samples, (0, -len(samples) % SAMPLES)).astype("<i2")
    chunks = padded.reshape(-1, SAMPLES)
    return [
        json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk.tobytes()).decode()})
        for chunk in chunks
    ]


class Caller:
    """One session."""

    def __init__(self, socket: Any, speech: list[str], noise: list[str], *, seen: Seen, silence_ms: float) -> None:
        self._socket = socket
        self._speech = speech
        self._noise = noise
        self._seen = seen
        self._silence_ms = silence_ms
        self._line: list[str] = []
        self._begun_s = self._ended_s = 0.0
        self._events: asyncio.Queue[tuple[float, str, str]] = asyncio.Queue()
        self._over: set[str] = set()  # responses that were cancelled

    async def feed(self, started_s: float) -> None:
        """The microphone."""
        count = 0
        while True:
            due_s = started_s + count * CHUNK_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            frame, now_s = self._noise[count % len(self._noise)], time.monotonic()
            if self._line:
                if len(self._line) == len(self._speech):
                    self._begun_s = now_s
                frame = self._line.pop(0)
                self._ended_s = now_s
            await self._socket.send(frame)
            self._seen.jitter.append((now_s - due_s) * 1000)
            count += 1

    async def read(self) -> None:
        """Keep the few events that matter, with their arrival."""
        async for text in self._socket:
            now_s, kind = time.monotonic(), text[9 : text.index('"', 9)]
            if kind == "response.output_audio.delta":
                response_id = text[text.index("resp_") :][:25]
                if response_id in self._over:
                    self._seen.late += 1
                self._events.put_nowait((now_s, kind, response_id))
            elif kind == "response.done":
                response = json.loads(text)["response"]
                if response["status"] == "cancelled":
                    self._over.add(response["id"])
                self._events.put_nowait((now_s, kind, response["status"]))
            elif kind == "input_audio_buffer.speech_stopped":
                self._events.put_nowait((now_s, kind, ""))
            elif kind == "error":
                self._seen.errors += 1

    async def _until(self, kind: str) -> float:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                at_s, found, _ = await self._events.get()
                if found == kind:
                    return at_s

    async def talk(self, until_s: float) -> None:
        """Ask, listen, interrupt with the next question, until the time is over."""
        self._say()
        while time.monotonic() < until_s:
            stopped_s = await self._until("input_audio_buffer.speech_stopped")
            ended_s = self._ended_s + CHUNK_S
            audio_s = await self._until("response.output_audio.delta")
            self._seen.stopped.append((stopped_s - ended_s) * 1000 - self._silence_ms)
            self._seen.first_audio.append((audio_s - stopped_s) * 1000)
            self._seen.answered.append((audio_s - ended_s) * 1000)
            await asyncio.sleep(INTO_REPLY_S)
            self._say()
            done_s = await self._until("response.done")
            self._seen.cancelled.append((done_s - self._begun_s) * 1000)

    def _say(self) -> None:
        self._begun_s = 0.0
        self._line = list(self._speech)


async def one(
    address: str, number: int, frames: tuple[list[str], list[str]], seen: Seen, clock: tuple[float, float]
) -> None:
    """One session from connect to close. `frames`: speech and noise; `clock`: when to begin and when to end."""
    silence_ms = 500.0
    async with websockets.connect(address, compression=None, max_size=None, max_queue=None) as socket:
        caller = Caller(socket, *frames, seen=seen, silence_ms=silence_ms)
        started_s = clock[0] + number * 0.0137 % 1.0
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(caller.feed(started_s)), group.create_task(caller.read())]
            await asyncio.sleep(max(0.0, started_s + 1.0 + number * 0.037 % 2.0 - time.monotonic()))
            try:
                await caller.talk(clock[1])
            except TimeoutError:
                seen.errors += 1
            for helper in helpers:
                helper.cancel()


async def calls(address: str, count: int, speech: np.ndarray, *, seconds: float) -> Seen:
    """So many sessions side by side."""
    seen = Seen()
    noise = frames_of(np.random.default_rng(7).normal(0, QUIET_DB, RATE * 2))
    begin_s = time.monotonic() + 0.5 + count * 0.02
    frames = frames_of(speech), noise
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(address, number, frames, seen, (begin_s, begin_s + seconds)))
    return seen
