"""Voice activity of all sessions of this server, scored together: one model call for whatever frames are there.

A stream cuts its audio into frames of 512 samples at 16 kHz. The first frame submitted schedules a round for the next
loop callback; a round takes at most one frame of each stream, since their state is sequential, scores them in one call
and tells each stream's listener at once. A stream with a backlog is served again in the next round.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from .silero import CONTEXT, FRAME, UNITS, Silero

Samples = npt.NDArray[np.int16]
Listener = Callable[[float, Samples], None]  # speech probability of a frame, and the frame
Scheduler = Callable[[Callable[[], None]], object]  # loop.call_soon, or a test's own
Delayed = Callable[[float, Callable[[], None]], object]  # loop.call_later

# How long frames gather, from so many streams on: a frame costs a fifth in a batch of thirty. Most sessions first.
GATHER_S = ((48, 0.010), (24, 0.006), (8, 0.003), (0, 0.0))
MAX_BATCH = 64  # keeps one round below a millisecond; the others wait for the next loop callback


class VadStream:
    """One session's ear. Not to be shared between sessions."""

    __slots__ = ("_batcher", "_frames", "_listener", "_parts", "_parts_samples", "closed", "slot")

    def __init__(self, batcher: "VadBatcher", slot: int, listener: Listener) -> None:
        self._batcher = batcher
        self._listener = listener
        self._frames: deque[Samples] = deque()
        self._parts: list[Samples] = []
        self._parts_samples = 0
        self.slot = slot
        self.closed = False

    @property
    def waiting_frames(self) -> int:
        """Frames not scored yet: what a session's back-pressure looks at."""
        return len(self._frames)

    @property
    def lacking(self) -> int:
        """How many samples the next frame still needs."""
        return FRAME - self._parts_samples

    def feed(self, samples: Samples) -> None:
        """More audio, 16 kHz, any length."""
        if self.closed:
            return
        self._parts.append(samples)
        self._parts_samples += len(samples)
        if self._parts_samples < FRAME:
            return
        line = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
        whole = len(line) - len(line) % FRAME
        self._frames.extend(line[at : at + FRAME] for at in range(0, whole, FRAME))
        rest = line[whole:]
        self._parts = [rest] if len(rest) else []
        self._parts_samples = len(rest)
        self._batcher.submit(self)

    def reset(self) -> None:
        """Forget everything: unscored audio and the model's state (buffer cleared, format changed)."""
        self._frames.clear()
        self._parts.clear()
        self._parts_samples = 0
        self.refresh()

    def refresh(self) -> None:
        """Only the model's recurrent state: after long quiet it would find speech late."""
        self._batcher.zero(self.slot)

    def close(self) -> None:
        """No more frames. May be repeated."""
        if not self.closed:
            self.closed = True
            self._frames.clear()
            self._parts.clear()
            self._batcher.release(self)

    def take(self) -> Samples:
        """For the batcher: the next frame."""
        return self._frames.popleft()

    def tell(self, probability: float, frame: Samples) -> None:
        """For the batcher: the frame's score."""
        if not self.closed:
            self._listener(probability, frame)


class VadBatcher:
    """The ears of one server."""

    def __init__(self, model: Silero, schedule: Scheduler, later: Delayed | None = None) -> None:
        """`schedule` runs a round next; `later`, where given, after some seconds: many streams gather for it."""
        self._model = model
        self._schedule = schedule
        self._later = later
        self._scheduled = False
        self._ready: dict[VadStream, None] = {}  # an ordered set: streams with frames
        self._free: list[int] = []
        self._hidden = np.zeros((0, UNITS), dtype=np.float32)
        self._cell = np.zeros((0, UNITS), dtype=np.float32)
        self._context = np.zeros((0, CONTEXT), dtype=np.float32)
        self.rounds = 0
        self.frames = 0
        self.busy_s = 0.0

    def stream(self, listener: Listener) -> VadStream:
        """A new ear; `listener` is called in the loop, synchronously, frame after frame."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self.zero(slot)
        return VadStream(self, slot, listener)

    def _grow(self) -> None:
        size = len(self._hidden)
        added = max(8, size)
        self._hidden = np.concatenate((self._hidden, np.zeros((added, UNITS), dtype=np.float32)))
        self._cell = np.concatenate((self._cell, np.zeros((added, UNITS), dtype=np.float32)))
        self._context = np.concatenate((self._context, np.zeros((added, CONTEXT), dtype=np.float32)))
        self._free.extend(range(size + added - 1, size - 1, -1))

    def zero(self, slot: int) -> None:
        """For a stream: begin anew."""
        self._hidden[slot] = 0
        self._cell[slot] = 0
        self._context[slot] = 0

    def release(self, stream: VadStream) -> None:
        """For a stream that closes."""
        self._ready.pop(stream, None)
        self._free.append(stream.slot)

    def submit(self, stream: VadStream) -> None:
        """For a stream: it has frames."""
        self._ready[stream] = None
        self._arm()

    def _arm(self, *, behind: bool = False) -> None:
        if self._scheduled:
            return
        self._scheduled = True
        streams = len(self._hidden) - len(self._free)
        wait_s = next(wait_s for least, wait_s in GATHER_S if streams >= least)
        if behind or wait_s == 0 or self._later is None:
            self._schedule(self._round)
        else:
            self._later(wait_s, self._round)

    def _round(self) -> None:
        self._scheduled = False
        streams = [stream for stream in self._ready if stream.waiting_frames][:MAX_BATCH]
        for stream in list(self._ready) if len(streams) < MAX_BATCH else streams:
            del self._ready[stream]
        if not streams:
            return
        frames = [stream.take() for stream in streams]
        began_s = time.perf_counter()
        probabilities = self._score([stream.slot for stream in streams], frames)
        self.busy_s += time.perf_counter() - began_s
        self.rounds += 1
        self.frames += len(frames)
        self._ready.update((stream, None) for stream in streams if stream.waiting_frames)
        if self._ready:
            self._arm(behind=True)
        with ExitStack() as each:  # a listener that raises must not cost the others their frame
            for stream, probability, frame in zip(streams, probabilities, frames, strict=True):
                each.callback(stream.tell, probability, frame)

    def _score(self, slots: list[int], frames: list[Samples]) -> list[float]:
        audio = np.empty((len(slots), CONTEXT + FRAME), dtype=np.float32)
        audio[:, :CONTEXT] = self._context[slots]
        for row, frame in zip(audio, frames, strict=True):
            row[CONTEXT:] = frame
        audio[:, CONTEXT:] *= np.float32(1 / 32768)
        probabilities, self._hidden[slots], self._cell[slots] = self._model(
            audio, self._hidden[slots], self._cell[slots]
        )
        self._context[slots] = audio[:, FRAME:]
        scores: list[float] = probabilities.tolist()
        return scores
