"""Speech recognition on this machine: pocketsphinx in a few warm worker processes. Offline, English, no great ear.

An utterance needs a worker to itself. When all are busy, audio waits in the utterance (bounded) and is caught up with
as soon as a worker is free; recognising takes a tenth of real time. A worker that died is replaced at the next use.
"""

import asyncio
import importlib.util
import json
import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies import Outcome
from realtime.stages.base import HEARING_RATE, Hearing, Transcript, Utterance, WordTime
from router.upstreams.base import UpstreamFault

from .worker import Worker

PROGRAM = Path(__file__).parent / "local_stt_worker.py"
MAX_WAITING_BYTES = 120 * HEARING_RATE * 2  # two minutes of audio


@dataclass(frozen=True, slots=True)
class SphinxSettings:
    """How to recognise. One pass is the default: the text is final a few milliseconds after the end."""

    processes: int = 2
    grammar: Path | None = None  # a JSGF file: exact where the sentences are known
    language_model: Path | None = None
    dictionary: Path | None = None
    acoustic_model: Path | None = None
    passes: int = 1  # 1 or 3
    hurried: bool = False  # skips frames and paths: two thirds of the work, more errors

    def decoder(self) -> dict[str, Any]:
        """The decoder's own settings."""
        chosen: dict[str, Any] = {"samprate": float(HEARING_RATE)}
        if self.passes == 1:
            chosen |= {"fwdflat": False, "bestpath": False}
        if self.hurried:
            chosen |= {"ds": 2, "maxhmmpf": 3000, "maxwpf": 5}
        if self.grammar is not None:
            chosen |= {"jsgf": str(self.grammar), "lm": None}
        if self.language_model is not None:
            chosen |= {"lm": str(self.language_model)}
        if self.dictionary is not None:
            chosen |= {"dict": str(self.dictionary)}
        if self.acoustic_model is not None:
            chosen |= {"hmm": str(self.acoustic_model)}
        return chosen


class SphinxHearing:
    """One utterance; `worker` is set while it has one."""

    def __init__(self, owner: "PocketsphinxTranscriber", utterance: Utterance) -> None:
        self._owner = owner
        self._utterance = utterance
        self._waiting = bytearray()
        self._fed_bytes = 0
        self._closed = False
        self._begun = asyncio.get_running_loop().create_future()
        self.worker: Worker | None = None

    def begin(self, worker: Worker) -> None:
        """For the owner: this is your worker."""
        self.worker = worker
        partial = self._utterance.on_partial
        number = self._owner.next_number()
        worker.on_notice = None
        if partial is not None:
            worker.on_notice = lambda notice: partial(notice["partial"]) if notice.get("of") == number else None
        worker.tell(b"s", struct.pack("<I?", number, partial is not None))
        if self._waiting:
            worker.tell(b"a", bytes(self._waiting))
            self._waiting.clear()
        if not self._begun.done():
            self._begun.set_result(None)

    def feed(self, pcm: bytes) -> None:
        """See the port."""
        if self._closed:
            return
        self._fed_bytes += len(pcm)
        if self.worker is not None:
            self.worker.tell(b"a", pcm)
            return
        if len(self._waiting) + len(pcm) > MAX_WAITING_BYTES:
            raise UpstreamFault(Outcome.OVERLOADED, "local/pocketsphinx: all workers are busy, the backlog is full")
        self._waiting += pcm

    async def peek(self) -> Transcript | None:
        """See the port. None while no worker is free."""
        if self.worker is None:
            return None
        answer, _ = await self.worker.ask(b"p", timeout_s=self._owner.timeout_s)
        return self._transcript(answer)

    async def finish(self) -> Transcript:
        """See the port."""
        try:
            if self.worker is None:
                async with asyncio.timeout(self._owner.timeout_s):
                    await self._owner.supply()
                    await self._begun
            worker = self.worker
            if worker is None or self._closed:
                raise UpstreamFault(Outcome.CANCELLED_BY_CLIENT, "the utterance was closed")
            answer, _ = await worker.ask(b"e", timeout_s=self._owner.timeout_s)
            return self._transcript(answer)
        except TimeoutError as error:
            raise UpstreamFault(Outcome.OVERLOADED, "local/pocketsphinx: no worker became free") from error
        finally:
            self.close()

    def _transcript(self, answer: dict[str, Any]) -> Transcript:
        text: str = answer["text"]
        words: list[WordTime] = []
        at = 0
        for word, start_ms, end_ms in answer["words"]:
            first = text.find(word, at)
            if first >= 0:
                at = first + len(word)
                words.append(WordTime(word, start_ms, end_ms, first, at))
        return Transcript(text, tuple(words), language="en", audio_s=self._fed_bytes / 2 / HEARING_RATE)

    def close(self) -> None:
        """See the port."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        if not self._begun.done():
            self._begun.set_result(None)
        self._owner.release(self)


class PocketsphinxTranscriber:
    """`local/pocketsphinx`. Belongs to one event loop."""

    def __init__(self, settings: SphinxSettings | None = None, *, timeout_s: float = 20.0) -> None:
        self.settings = settings or SphinxSettings()
        self.timeout_s = timeout_s
        self._idle: list[Worker] = []
        self._count = 0  # workers running or starting
        self._queue: deque[SphinxHearing] = deque()
        self._all: set[Worker] = set()
        self._number = 0

    async def warm(self) -> None:
        """Start all workers now, so that the first utterance does not wait for the model. Raises UpstreamFault."""
        if importlib.util.find_spec("pocketsphinx") is None:
            raise UpstreamFault(Outcome.CONNECT_REFUSED, "local/pocketsphinx needs the package 'pocketsphinx'")
        while self._count < self.settings.processes:
            self._give(await self._start())

    async def open(self, utterance: Utterance) -> Hearing:
        """See the port."""
        if importlib.util.find_spec("pocketsphinx") is None:
            raise UpstreamFault(Outcome.CONNECT_REFUSED, "local/pocketsphinx needs the package 'pocketsphinx'")
        hearing = SphinxHearing(self, utterance)
        self._queue.append(hearing)
        try:
            await self.supply()
        except UpstreamFault:
            hearing.close()
            raise
        return hearing

    async def supply(self) -> None:
        """A worker for those who wait, when one is idle or may be started."""
        for worker in [worker for worker in self._all if not worker.alive]:
            self._discard(worker)
        if self._idle and self._queue:
            self._give(self._idle.pop())
        elif self._queue and self._count < self.settings.processes:
            self._give(await self._start())

    def next_number(self) -> int:
        """A number for an utterance, so that a late partial text is not taken for the next one's."""
        self._number += 1
        return self._number & 0xFFFFFFFF

    async def _start(self) -> Worker:
        self._count += 1
        try:
            worker = await Worker.start(PROGRAM, json.dumps(self.settings.decoder()))
        except BaseException:
            self._count -= 1
            raise
        self._all.add(worker)
        return worker

    def _discard(self, worker: Worker) -> None:
        if worker in self._all:
            self._all.discard(worker)
            self._count -= 1
            worker.kill()
        if worker in self._idle:
            self._idle.remove(worker)

    def _give(self, worker: Worker) -> None:
        """Hand the worker to whoever waits longest, or let it idle."""
        if self._queue:
            self._queue.popleft().begin(worker)
        else:
            self._idle.append(worker)

    def release(self, hearing: SphinxHearing) -> None:
        """For an utterance that ended."""
        worker, hearing.worker = hearing.worker, None
        if worker is None:
            if hearing in self._queue:
                self._queue.remove(hearing)
            return
        worker.on_notice = None
        try:
            worker.tell(b"c")
        except UpstreamFault:  # dead, or hopelessly behind: the next utterance gets a new one
            self._discard(worker)
            return
        self._give(worker)

    async def aclose(self) -> None:
        """End the workers."""
        workers, self._all = self._all, set()
        self._idle.clear()
        self._count = 0
        for worker in workers:
            await worker.aclose()
