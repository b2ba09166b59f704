"""Lines on their way to a stream: a bounded queue and one thread that writes what has gathered, all at once.

A blocked pipe never blocks a request: what does not fit is dropped and counted. Nor does it hold up the end: the
thread writes only what the pipe has room for, and gives up soon when told to end. It looks a few times a second instead
of once a line, since waking it for every line costs more than the line; it formats in small slices, so that the event
loop never waits long for it.
"""

import os
import select
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TextIO, TypeVar

GATHER_S = 0.1
PIECE_BYTES = select.PIPE_BUF  # as much as a pipe takes at once when it says that it takes anything
LOOK_MS = 100
PATIENCE_S = 1.0  # with a pipe that takes nothing, once the end has come
SLICE_LINES = 64
T = TypeVar("T")


class Batches(Generic[T]):
    """A queue of things that become lines when they are written. Fed by any thread, emptied by its own."""

    def __init__(self, stream: TextIO, write: Callable[[Sequence[T]], list[str]], *, capacity: int) -> None:
        self._stream = stream
        self._lines = write
        self._capacity = capacity
        self._waiting: deque[T] = deque()
        self._wake = threading.Event()
        self._over = threading.Event()
        self._gives_up_s = 0.0
        self._thread: threading.Thread | None = None
        self.lost = 0  # lines that the stream did not take

    def put(self, item: T) -> bool:
        """Queue it; False when there is no room."""
        if len(self._waiting) >= self._capacity:
            return False
        self._waiting.append(item)
        if not self._wake.is_set():
            self._wake.set()
        return True

    def start(self) -> None:
        """Begin to write."""
        self._over.clear()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, as far as it is taken within a second, and end the thread. May be repeated."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._gives_up_s = time.monotonic() + PATIENCE_S
            self._over.set()
            self._wake.set()
            thread.join(2 * PATIENCE_S)

    def forget(self) -> None:
        """Drop what is queued and the thread, which is not there: for a forked process."""
        self._waiting.clear()
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread = None

    def _run(self) -> None:
        while not (self._over.is_set() and not self._waiting):
            self._wake.wait()
            self._wake.clear()
            self._over.wait(GATHER_S)
            self._write()

    def _write(self) -> None:
        lines: list[str] = []
        while self._waiting:
            count = min(SLICE_LINES, len(self._waiting))
            lines += self._lines([self._waiting.popleft() for _ in range(count)])
            select.select((), (), (), 0)  # let the event loop have its turn
        if not lines:
            return
        try:
            self._pour("\n".join(lines) + "\n")
        except (OSError, ValueError):
            self.lost += len(lines)  # closed or full: nobody takes the log any more

    def _pour(self, text: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except OSError:  # no file: a text in memory
            self._stream.write(text)
            return
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        content = text.encode(errors="backslashreplace")
        size = len(content) if stat.S_ISREG(os.fstat(descriptor).st_mode) else PIECE_BYTES  # a file always takes
        start = 0
        while start < len(content):
            while not ready.poll(LOOK_MS):
                if self._over.is_set() and time.monotonic() > self._gives_up_s:
                    raise TimeoutError
            start += os.write(descriptor, content[start : start + size])
