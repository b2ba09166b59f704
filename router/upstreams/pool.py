"""Idle connections of one origin, newest first, and the slots of its calls in flight.

A connection is either out with exactly one exchange, or here; never both.
"""

from .connection import Connection
from .slots import QUEUE_S, Slots


class Pool(Slots):
    """LIFO keep-alive pool with a bounded queue in front of `max_inflight` slots."""

    def __init__(self, *, max_inflight: int = 1024, max_pending: int = 1024, idle_s: float = 30.0) -> None:
        super().__init__(max_inflight, max_pending=max_pending)
        self.idle_s = idle_s
        self.queue_s = QUEUE_S  # half of the first-token limit if that is shorter
        self._idle: dict[Connection, None] = {}  # insertion order: the newest is the last

    def take(self) -> Connection | None:
        """The most recently used idle connection that is still open."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                return connection
        return None

    def put(self, connection: Connection, idle_s: float) -> None:
        """Keep an open connection for the next call."""
        self._idle[connection] = None
        connection.rest(idle_s, self._drop)

    def close(self) -> None:
        """Close everything that is idle."""
        while self._idle:
            self._idle.popitem()[0].cut()

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    def _drop(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
