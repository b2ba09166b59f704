"""Voice activity of all sessions of this server, scored together: one model call for whatever frames are there.

A stream's audio waits in its line. The first stream that has a frame schedules a round for the next loop callback; a
round takes at most one frame of each stream, since their state is sequential, brings them all to 16 kHz, scores them
in one call and tells each stream's listener at once. A stream with a backlog is served again in the next round. A frame
costs a fifth in a batch of thirty: reads that gather (`router.ws_tide`) make such batches.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from realtime.audio.line import Cut, Line

from .silero import CONTEXT, FRAME, UNITS, Silero

Samples = npt.NDArray[np.int16]
Listener = Callable[[float, bytes], None]  # speech probability of a frame, and the frame: 16 kHz s16le
Scheduler = Callable[[Callable[[], None]], object]  # loop.call_soon, or a test's own

MAX_BATCH = 48  # what stays in the nearest caches, half a millisecond; the others wait for the next loop callback
HIDDEN, CELL = slice(CONTEXT, CONTEXT + UNITS), slice(CONTEXT + UNITS, CONTEXT + 2 * UNITS)


class VadStream:
    """One session's ear. Not to be shared between sessions."""

    __slots__ = ("_batcher", "_listener", "_paused", "closed", "line", "slot")

    def __init__(self, batcher: "VadBatcher", slot: int, listener: Listener, line: Line) -> None:
        self._batcher = batcher
        self._listener = listener
        self.line = line
        self.slot = slot
        self.closed = False
        self._paused = False

    @property
    def waiting_frames(self) -> int:
        """Frames that may be scored now."""
        return 0 if self._paused else self.line.frames

    def pause(self) -> None:
        """Score nothing until `resume`: somebody has to think about what was heard so far."""
        self._paused = True

    def resume(self) -> None:
        """Go on. May be repeated."""
        self._paused = False
        if self.line.frames and not self.closed:
            self._batcher.submit(self)

    def feed(self, pcm: bytes) -> None:
        """More audio at the rate of the line, s16le, any length."""
        if self.closed:
            return
        waiting = self.line.waiting
        waiting += pcm
        if len(waiting) >= self.line.cut.window_bytes:
            self._batcher.submit(self)

    def reset(self) -> None:
        """Forget everything: unscored audio and the model's state (buffer cleared, format changed)."""
        self.line.drain()
        self._paused = False
        self.refresh()

    def refresh(self) -> None:
        """Only the model's recurrent state: after long quiet it would find speech late."""
        self._batcher.zero(self.slot)

    def close(self) -> None:
        """No more frames. May be repeated."""
        if not self.closed:
            self.closed = True
            self._batcher.release(self)

    def tell(self, probability: float, frame: bytes) -> None:
        """For the batcher: the frame's score."""
        if not self.closed:
            self._listener(probability, frame)


class VadBatcher:
    """The ears of one server."""

    def __init__(self, model: Silero, schedule: Scheduler) -> None:
        """`schedule` runs a round next."""
        self._model = model
        self._schedule = schedule
        self._scheduled = False
        self._ready: dict[VadStream, None] = {}  # an ordered set: streams with frames
        self._free: list[int] = []
        self._state = np.zeros((0, CONTEXT + 2 * UNITS), dtype=np.float32)  # of each slot: context, hidden, cell
        self.rounds = 0
        self.frames = 0
        self.busy_s = 0.0

    def stream(self, listener: Listener, line: Line | None = None) -> VadStream:
        """A new ear; `listener` is called in the loop, synchronously, frame after frame."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self.zero(slot)
        return VadStream(self, slot, listener, line or Line())

    def _grow(self) -> None:
        size = len(self._state)
        added = max(8, size)
        self._state = np.concatenate((self._state, np.zeros((added, self._state.shape[1]), dtype=np.float32)))
        self._free.extend(range(size + added - 1, size - 1, -1))

    def zero(self, slot: int) -> None:
        """For a stream: begin anew."""
        self._state[slot] = 0

    def release(self, stream: VadStream) -> None:
        """For a stream that closes."""
        self._ready.pop(stream, None)
        self._free.append(stream.slot)

    def submit(self, stream: VadStream) -> None:
        """For a stream: it has frames."""
        self._ready[stream] = None
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self._round)

    def _round(self) -> None:
        self._scheduled = False
        streams = [stream for stream in self._ready if stream.waiting_frames][:MAX_BATCH]
        for stream in list(self._ready) if len(streams) < MAX_BATCH else streams:
            del self._ready[stream]
        if not streams:
            return
        began_s = time.perf_counter()
        streams, frames = _cut(streams)
        probabilities = self._score([stream.slot for stream in streams], frames)
        self.busy_s += time.perf_counter() - began_s
        self.rounds += 1
        self.frames += len(frames)
        self._ready.update((stream, None) for stream in streams if stream.waiting_frames)
        if self._ready:
            self._scheduled = True
            self._schedule(self._round)
        _tell(zip(streams, probabilities, _pieces(frames), strict=True))

    def _score(self, slots: list[int], frames: Samples) -> list[float]:
        state = self._state[slots]
        audio = np.empty((len(slots), CONTEXT + FRAME), dtype=np.float32)
        audio[:, :CONTEXT] = state[:, :CONTEXT]
        np.multiply(frames, np.float32(1 / 32768), out=audio[:, CONTEXT:])
        probabilities, state[:, HIDDEN], state[:, CELL] = self._model(audio, state[:, HIDDEN], state[:, CELL])
        state[:, :CONTEXT] = audio[:, FRAME:]
        self._state[slots] = state
        scores: list[float] = probabilities.tolist()
        return scores


def _cut(streams: list[VadStream]) -> tuple[list[VadStream], Samples]:
    """The next frame of each, with the streams in the order of the frames: rate by rate."""
    by_cut: dict[Cut, list[VadStream]] = {}
    for stream in streams:
        by_cut.setdefault(stream.line.cut, []).append(stream)
    frames = [cut.frames([stream.line.take() for stream in those]) for cut, those in by_cut.items()]
    if len(frames) == 1:
        return streams, frames[0]
    return [stream for those in by_cut.values() for stream in those], np.concatenate(frames)


def _pieces(frames: Samples) -> Iterator[bytes]:
    whole = frames.astype("<i2", copy=False).tobytes()
    return (whole[at : at + 2 * FRAME] for at in range(0, len(whole), 2 * FRAME))


def _tell(told: Iterator[tuple[VadStream, float, bytes]]) -> None:
    """Each listener its frame. One that raises must not cost the others theirs."""
    over = False
    try:
        for stream, probability, frame in told:
            stream.tell(probability, frame)
        over = True
    finally:
        if not over:
            _tell(told)
