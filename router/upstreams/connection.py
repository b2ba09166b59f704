"""One TCP or TLS connection: bytes in, bytes out, one deadline. It carries one exchange at a time."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from router.deadline import Deadline


class Rider(Protocol):
    """What a connection carries: an exchange."""

    def feed(self, data: bytes) -> None:
        """Bytes from the peer."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; None: the peer closed it in good order."""
        ...

    def expired(self) -> None:
        """The deadline set with `watch` has passed."""
        ...


class Connection:
    """A transport and whoever uses it: an asyncio protocol by its methods."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.uses = 0
        self.usable = False
        self._loop = loop
        self._transport: Any = None  # a stream transport of the loop's own kind
        self._rider: Rider | None = None
        self._on_end: Callable[[Connection], None] | None = None
        self._deadline = Deadline(loop, self._expire)

    def carry(self, rider: Rider, request: bytes) -> None:
        """Send a request, head and body in one write, and hand everything that comes back to `rider`."""
        self._on_end = None
        self._rider = rider
        self.uses += 1
        self._transport.write(request)

    def rest(self, idle_s: float, on_end: Callable[["Connection"], None]) -> None:
        """Nothing to carry: close after `idle_s`. `on_end` is told when the connection ends before it is used again."""
        self._rider = None
        self._on_end = on_end
        self.watch(idle_s)

    def cut(self) -> None:
        """Close at once, dropping what is unsent. The rider is not told."""
        self._rider = None
        self.usable = False
        self._end()
        if self._transport is not None:
            self._transport.abort()

    def watch(self, seconds: float) -> None:
        """Tell the rider when so much time has passed; replaces the deadline before."""
        self._deadline.set(self._loop.time() + seconds)

    def unwatch(self) -> None:
        """Nobody waits for anything."""
        self._deadline.clear()

    def pause(self) -> None:
        """Stop reading: the reader is slower than the peer."""
        if self._transport is not None and self.usable:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self.usable:
            self._transport.resume_reading()

    def unsent(self) -> bool:
        """Whether part of the request is still in the buffer."""
        return self._transport is not None and bool(self._transport.get_write_buffer_size())

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._rider is None:
            self.cut()  # nobody asked: what follows cannot be trusted
        else:
            self._rider.feed(data)

    def eof_received(self) -> None:
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        rider, self._rider = self._rider, None
        self._end()
        if rider is not None:
            rider.lost(exc)

    def _end(self) -> None:
        self._deadline.stop()
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)

    def _expire(self) -> None:
        if self._rider is None:
            self.cut()
        else:
            self._rider.expired()
