"""What waits to be sent to one client: in order, bounded, and free of audio nobody may hear any more.

One deque keeps the order of events; audio frames carry the id of their response, so that an interruption can take them
out again before they are sent. Producers of audio wait for room; other events are never held back, and a client that
lets even those pile up is closed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Write = Callable[[Sequence[bytes]], bool]  # sends texts at once, or says that it cannot

AUDIO_LIMIT_BYTES = 512 * 1024  # producers of audio wait above this: eight seconds of PCM
HARD_LIMIT_BYTES = 8 * 1024 * 1024  # a client that does not read its events
POLICY_VIOLATION = 1008


@dataclass(slots=True)
class _Frame:
    text: bytes
    response_id: str | None
    on_sent: Callable[[], None] | None


class Outbox:
    """One per connection. `put` never blocks; it sends at once when `run` has nothing left to send."""

    def __init__(self) -> None:
        self._frames: deque[_Frame] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing: tuple[int, str] | None = None
        self._write: Write | None = None  # while nothing waits
        self._together: list[_Frame] | None = None  # to be written in one go

    @property
    def waiting_bytes(self) -> int:
        """What has not been handed to the socket."""
        return self._waiting_bytes

    def put(self, text: bytes, *, audio_of: str | None = None, on_sent: Callable[[], None] | None = None) -> None:
        """Queue one text frame. `audio_of` names the response whose audio it carries."""
        if self._closing is not None:
            return
        frame = _Frame(text, audio_of, on_sent)
        if self._write is None:
            self._queue(frame)
        elif self._together is not None:
            self._together.append(frame)
        else:
            self._write_out([frame])

    def gather(self) -> None:
        """What is put from here on leaves together, at `push`: many frames, one write."""
        self._together = []

    def push(self) -> None:
        """Send what has gathered. May be repeated."""
        frames, self._together = self._together, None
        if frames:
            self._write_out(frames)

    def _write_out(self, frames: list[_Frame]) -> None:
        if self._write is not None and self._write([frame.text for frame in frames]):
            for frame in frames:
                if frame.on_sent is not None:
                    frame.on_sent()
            return
        self._write = None
        for frame in frames:
            if self._closing is None:
                self._queue(frame)

    def _queue(self, frame: _Frame) -> None:
        if frame.response_id is None:  # JSON as it is made has four KiB of room or more, which would wait with it
            frame.text = bytes(memoryview(frame.text))
        self._frames.append(frame)
        self._waiting_bytes += len(frame.text)
        if self._waiting_bytes > HARD_LIMIT_BYTES:
            self._frames.clear()
            self.close(POLICY_VIOLATION, "The client does not read what it is sent.")
        elif self._waiting_bytes > AUDIO_LIMIT_BYTES:
            self._room.clear()
        self._wake.set()

    def drop(self, response_id: str) -> None:
        """Take the audio of a response out again."""
        if self._together:
            self._together = [frame for frame in self._together if frame.response_id != response_id]
        kept = [frame for frame in self._frames if frame.response_id != response_id]
        if len(kept) != len(self._frames):
            self._frames = deque(kept)
            self._waiting_bytes = sum(len(frame.text) for frame in kept)
            self._make_room()

    def close(self, code: int, reason: str) -> None:
        """Send what is queued, then close. The first call counts."""
        if self._closing is None:
            self.push()
            self._closing = (code, reason)
            self._room.set()
            self._wake.set()

    async def room(self) -> None:
        """Wait until audio may be queued."""
        await self._room.wait()

    def _make_room(self) -> None:
        if self._waiting_bytes <= AUDIO_LIMIT_BYTES:
            self._room.set()

    async def run(self, send: Send, write: Write | None = None) -> None:
        """Send until closed; by `write` while nothing waits. Raises what `send` raises when the client is gone."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                await send({"type": "websocket.send", "text": frame.text.decode()})
                self._waiting_bytes = max(0, self._waiting_bytes - len(frame.text))
                if frame.on_sent is not None:
                    frame.on_sent()
                self._make_room()
            if self._closing is not None:
                code, reason = self._closing
                await send({"type": "websocket.close", "code": code, "reason": reason[:120]})
                return
            self._wake.clear()
            self._write = write
            await self._wake.wait()
