"""Rows to SQLite, from a thread of their own: the event loop never waits for a disk.

The queue is bounded. When the disk cannot follow, new rows are dropped and counted, requests go on. A batch that fails
is dropped and counted too; the next one tries again.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from policies import Decision, Facts
from router.observers import Silent
from router.record import Record

from .rows import INSERTS, SCHEMA, Feedback, Row, attempt_rows, drawn_unit, exposure_row, hashed_unit, request_row

Item = tuple[str, Row] | threading.Event | None  # a row and its table; a mark to be set when reached; the end
_BATCH = 1000
_PAUSE_S = 0.2


def open_records(url: str | None, *, on_drop: Callable[[int], None] | None = None) -> "SqliteRecords | None":
    """The writer for a `records.url`: `sqlite:///file`, or None for null and `memory://`. Raises ValueError."""
    if url is None or url.startswith("memory://"):
        return None
    if not url.startswith("sqlite:///"):
        scheme = url.partition("://")[0]
        raise ValueError(f"records.url: {scheme!r} is not supported by this version; use sqlite:///FILE or null")
    return SqliteRecords(Path(url.removeprefix("sqlite:///")), on_drop=on_drop)


class SqliteRecords(Silent):
    """An observer that writes exposures, requests and attempts; `feedback` writes outcomes."""

    def __init__(
        self,
        path: Path,
        *,
        queue_size: int = 20_000,
        on_drop: Callable[[int], None] | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.dropped = 0
        self.fault: str | None = None  # why the last batch failed; None when it did not
        self._on_drop = on_drop
        self._wall_s = wall_s
        self._queue: queue.Queue[Item] = queue.Queue(queue_size)
        self._units: dict[int, tuple[Decision, str | None]] = {}
        self._thread: threading.Thread | None = None  # begins with the first row: a fork before it must not lose it

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Remember the unit's hash until the request is over."""
        if decision.router is not None:
            self._units[id(decision)] = (decision, drawn_unit(decision, facts))

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """Write the exposure."""
        if decision.router is not None:
            self._put("exposures", exposure_row(decision, facts, drawn_unit(decision, facts), self._wall_s()))

    def on_finish(self, record: Record) -> None:
        """Write the request and its attempts."""
        _, unit = self._units.pop(id(record.decision), (None, None))
        self._put("requests", request_row(record, unit))
        for row in attempt_rows(record):
            self._put("attempts", row)

    def feedback(self, given: Feedback) -> None:
        """Write an outcome."""
        unit = None if given.unit is None else hashed_unit(given.unit)
        row = (self._wall_s(), given.request_id, unit, given.metric, given.value, given.idempotency_key)
        self._put("outcomes", row)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything told so far is on disk. Blocks: not for the event loop. False after the time-out."""
        mark = threading.Event()
        self._begin()
        self._queue.put(mark, timeout=timeout_s)
        return mark.wait(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is queued and end the thread."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="records", daemon=True)
            self._thread.start()

    def _put(self, table: str, row: Row) -> None:
        if self._thread is None:
            self._begin()
        try:
            self._queue.put_nowait((table, row))
        except queue.Full:
            self._drop(1)

    def _drop(self, rows: int) -> None:
        self.dropped += rows
        if self._on_drop is not None:
            self._on_drop(rows)

    def _write(self) -> None:
        database: sqlite3.Connection | None = None
        going = True
        while going:
            batch, marks, going = self._batch()
            try:
                database = database or _opened(self.path)
                with database:
                    for table, rows in batch.items():
                        database.executemany(INSERTS[table], rows)
                self.fault = None
            except sqlite3.Error as error:
                self.fault = f"{self.path}: {error}"
                self._drop(sum(len(rows) for rows in batch.values()))
            for mark in marks:
                mark.set()
        if database is not None:
            database.close()

    def _batch(self) -> tuple[dict[str, list[Row]], list[threading.Event], bool]:
        """What came within a short pause: rows by table, marks reached, and whether to go on."""
        items = [self._queue.get()]
        until_s = time.monotonic() + _PAUSE_S
        while isinstance(items[-1], tuple) and len(items) < _BATCH:
            try:
                items.append(self._queue.get(timeout=max(0.0, until_s - time.monotonic())))
            except queue.Empty:
                break
        batch: dict[str, list[Row]] = {}
        for item in items:
            if isinstance(item, tuple):
                batch.setdefault(item[0], []).append(item[1])
        marks = [item for item in items if isinstance(item, threading.Event)]
        return batch, marks, items[-1] is not None


def _opened(path: Path) -> sqlite3.Connection:
    if str(path) != ":memory:":
        path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=5.0)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.executescript(SCHEMA)
    return database
