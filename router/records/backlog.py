"""Rows on their way to a store: bounded, the oldest give way. Whoever adds one never waits for the store.

The reader looks a few times a second rather than once a row, so that a batch gathers and waking it costs nothing.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence

from .rows import Row

Batch = Mapping[str, Sequence[Row]]  # rows by table
BATCH_ROWS = 1000
GATHER_S = 0.2


class Backlog:
    """A queue of rows with the name of their table. Filled by any thread, emptied by one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[tuple[str, Row]] = deque()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._hurry = threading.Event()  # somebody waits for the rows, or a batch is full: do not gather more
        self.added = 0  # rows ever added

    def add(self, table: str, row: Row) -> int:
        """Queue a row; how many older ones had to go for it (0 or 1)."""
        with self._lock:
            gone = len(self._waiting) >= self._capacity
            if gone:
                self._waiting.popleft()
            self._waiting.append((table, row))
            self.added += 1
            full = len(self._waiting) >= BATCH_ROWS
        if not self._some.is_set():
            self._some.set()
        if full and not self._hurry.is_set():
            self._hurry.set()
        return int(gone)

    def hurry(self) -> None:
        """Hand over what is there, be it nothing."""
        self._hurry.set()
        self._some.set()

    def take(self) -> Batch:
        """Wait for rows, gather for a moment, and hand over up to `BATCH_ROWS`; none only after `hurry`."""
        self._some.wait()
        self._hurry.wait(GATHER_S)
        batch: dict[str, list[Row]] = {}
        with self._lock:
            for _ in range(min(BATCH_ROWS, len(self._waiting))):
                table, row = self._waiting.popleft()
                batch.setdefault(table, []).append(row)
            if not self._waiting:
                self._some.clear()
                self._hurry.clear()
        return batch

    def __len__(self) -> int:
        return len(self._waiting)

    def clear(self) -> int:
        """Forget every row; how many there were."""
        with self._lock:
            rows = len(self._waiting)
            self._waiting.clear()
        return rows
