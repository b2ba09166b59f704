"""A running router and a client that speaks to it: real samples in real time, every event kept.

The client knows nothing of the product: it sends what a microphone would (20 ms on an absolute schedule, soft noise
between utterances) and writes down what arrives and when.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import websockets

from benchmarks.processes import end_process

ROOT = Path(__file__).parent.parent.parent
READY = re.compile(rb"ready at http://127\.0\.0\.1:(\d+)")
CHUNK_S = 0.02


@contextlib.contextmanager
def running(folder: Path, server_file: str, routers: dict[str, str]) -> Iterator[int]:
    """`serve` in a process of its own; gives the port. A log with a traceback in it fails the module."""
    (folder / "routers").mkdir(exist_ok=True)
    for name, text in routers.items():
        (folder / "routers" / f"{name}.yaml").write_text(text)
    (folder / "server.yaml").write_text(server_file)
    log = folder / "server.log"
    command = [sys.executable, "-X", "dev", "-m", "realtime", "serve", "--port", "0", "--config"]
    with log.open("wb") as stream:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "RR_NO_OLLAMA": "1", "OPENBLAS_NUM_THREADS": "1"}
        server = subprocess.Popen(
            [*command, str(folder / "server.yaml")], stdout=subprocess.PIPE, stderr=stream, env=environ, cwd=folder
        )
        running.last = server
        try:
            yield _port(server, log)
        finally:
            end_process(server, 20, by=None if server is running.ended else signal.SIGINT)  # a second would mean: now
    said = log.read_text()
    assert "Traceback" not in said, said[-4000:]
    assert "never retrieved" not in said, said[-4000:]
    assert "ResourceWarning" not in said, said[-4000:]


def _port(server: subprocess.Popen, log: Path) -> int:
    while line := server.stdout.readline():
        found = READY.search(line)
        if found:
            return int(found[1])
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


running.last = running.ended = None


def end() -> None:
    """Ask the server that was started last to end, as an operator does."""
    running.ended = running.last
    running.last.terminate()


class Client:
    """One session. Use `connected`."""

    def __init__(self, socket, *, rate: int = 24_000, coding=None) -> None:
        self.socket = socket
        self.rate = rate
        self.coding = coding or (lambda samples: samples.astype("<i2").tobytes())
        self.events: list[dict] = []
        self.times: list[float] = []
        self._changed = asyncio.Event()
        self._mark = 0
        self._line: list[np.ndarray] = []
        self.sent_ms = self.spoken_from_ms = 0.0  # audio so far; where in it the last utterance begins
        self.spoken_at = self.said_at = 0.0  # when the first and the last sample of the last utterance were sent

    async def send(self, kind: str, **fields) -> None:
        """One client event."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def read(self) -> None:
        """Write down what arrives until the end."""
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                self.events.append(json.loads(text))
                self.times.append(time.monotonic())
                self._changed.set()
        self.events.append({"type": "closed", "code": self.socket.close_code, "reason": self.socket.close_reason})
        self.times.append(time.monotonic())
        self._changed.set()

    async def feed(self) -> None:
        """The microphone: always on."""
        noise = np.random.default_rng(1)
        size = int(self.rate * CHUNK_S)
        started, count = time.monotonic(), 0
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                chunk = self._take(size) if self._line else None
                if chunk is None:
                    chunk = noise.normal(0, 6, size)
                await self.append(chunk)
                count += 1
                await asyncio.sleep(max(0.0, started + count * CHUNK_S - time.monotonic()))

    async def append(self, samples: np.ndarray) -> None:
        """Some input audio."""
        self.sent_ms += len(samples) * 1000 / self.rate
        await self.send("input_audio_buffer.append", audio=base64.b64encode(self.coding(samples)).decode())

    def _take(self, size: int) -> np.ndarray:
        line = self._line[0]
        if not self.spoken_at:
            self.spoken_at = time.monotonic()
            self.spoken_from_ms = self.sent_ms
        chunk, rest = line[:size], line[size:]
        self._line = [rest, *self._line[1:]] if len(rest) else self._line[1:]
        self.said_at = time.monotonic()
        return np.pad(chunk, (0, size - len(chunk)))

    def say(self, samples: np.ndarray) -> None:
        """Speak into the microphone, from 16 kHz samples."""
        self.spoken_at = 0.0
        self._line.append(resampled(trimmed(samples), 16_000, self.rate))

    def silence(self) -> None:
        """Stop speaking in the middle of it."""
        self._line = []

    def mark(self) -> None:
        """`until` looks only at what comes from now on."""
        self._mark = len(self.events)

    async def until(self, kind: str, *, within_s: float = 15.0, **fields) -> dict:
        """The next event of a kind (with these fields); what came before it is passed over."""
        limit = asyncio.get_running_loop().time() + within_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(limit):
                while True:
                    for index in range(self._mark, len(self.events)):
                        event = self.events[index]
                        if event["type"] == kind and all(event.get(name) == value for name, value in fields.items()):
                            self._mark = index + 1
                            return event
                        if event["type"] == "closed":
                            raise AssertionError(f"closed while waiting for {kind}: {event}, {self.kinds()[-8:]}")
                    self._changed.clear()
                    await self._changed.wait()
        raise AssertionError(f"no {kind} within {within_s} s; the last were {self.kinds()[-12:]}")

    async def done(self, within_s: float = 15.0) -> dict:
        """The next response that is done."""
        return (await self.until("response.done", within_s=within_s))["response"]

    async def over(self, within_s: float = 15.0) -> dict:
        """The end of the connection."""
        async with asyncio.timeout(within_s):
            while not self.events or self.events[-1]["type"] != "closed":
                self._changed.clear()
                await self._changed.wait()
        return self.events[-1]

    def kinds(self) -> list[str]:
        """Every type so far."""
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict]:
        """Every event of a kind."""
        return [event for event in self.events if event["type"] == kind]

    def when(self, event: dict) -> float:
        """Its arrival."""
        return self.times[next(index for index, other in enumerate(self.events) if other is event)]

    def audio(self, response_id: str | None = None) -> bytes:
        """The audio of a response (of all)."""
        deltas = [event for event in self.events if event["type"].endswith("audio.delta")]
        return b"".join(
            base64.b64decode(event["delta"]) for event in deltas if response_id in (None, event["response_id"])
        )


@contextlib.asynccontextmanager
async def connected(
    port: int, path: str = "/v1/realtime?model=router/voice", *, microphone: bool = True, rate: int = 24_000, **options
) -> AsyncIterator[Client]:
    """A session, open and reading."""
    coding = options.pop("coding", None)
    headers = {"authorization": "Bearer unused", **options.pop("headers", {})}
    address = f"ws://127.0.0.1:{port}{path}"
    async with websockets.connect(
        address, additional_headers=headers, max_size=None, compression=None, **options
    ) as socket:
        client = Client(socket, rate=rate, coding=coding)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(client.read())
            feeding = group.create_task(client.feed()) if microphone else None
            try:
                yield client
            finally:
                if feeding is not None:
                    feeding.cancel()
                await socket.close()
                reading.cancel()


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > 300)
    return samples[loud[0] : loud[-1] + 1]


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Straight lines between the samples: good enough for speech, and not the product's own way."""
    if rate == wanted:
        return samples
    places = np.arange(0, len(samples) - 1, rate / wanted)
    return np.interp(places, np.arange(len(samples)), samples.astype(float)).astype(np.int16)


def words(response: dict) -> str:
    """What a response said."""
    parts = [part for item in response["output"] for part in item.get("content", ())]
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts)


SENTENCES = (
    "count to five",
    "count to twenty",
    "my name is john",
    "what is my name",
    "what is the time",
    "what is the weather like today",
    "what is the weather in paris",
    "hello how are you",
    "no stop please",
    "can you hear me",
)


def grammar(folder: Path) -> Path:
    """A JSGF grammar of the sentences of these tests in a folder; gives the folder."""
    (folder / "sentences.jsgf").write_text(
        f"#JSGF V1.0;\ngrammar sentences;\npublic <sentence> = {' | '.join(SENTENCES)};\n"
    )
    return folder
