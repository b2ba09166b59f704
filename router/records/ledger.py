"""The observer that writes rows, from a thread of its own: the event loop never waits for a disk or a database.

Rows wait in a bounded backlog. A batch that a store refuses is dropped and counted, and the next one tries again; a
store that cannot be reached is asked again and again, ever more slowly, while the oldest rows of a full backlog are
dropped and counted. What failed is logged once, and once more when it works again.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from policies import Decision, Facts
from router.observers import Silent
from router.record import Record

from .backlog import Backlog, Batch
from .rows import Feedback, Row, attempt_rows, drawn_unit, exposure_row, hashed_unit, request_row

CAPACITY_ROWS = 20_000
LONGEST_PAUSE_S = 10.0
log = logging.getLogger("router.records")


class StoreError(Exception):
    """A store did not take a batch; the text shows no password and no value of a row.

    `passing`: it was not reached, so that the same batch may be written later.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class Store(Protocol):
    """Where rows end. Everything is called from the writing thread."""

    eager: bool  # open it when the server starts, rather than with the first row

    def open(self) -> None:
        """Connect and make the missing tables; nothing when it is open. Raises StoreError."""
        ...

    def write(self, batch: Batch) -> None:
        """Write all of it or nothing, opening first where needed. Raises StoreError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Ledger(Silent):
    """An observer that writes exposures, requests and attempts to a store; `feedback` writes outcomes."""

    def __init__(
        self,
        store: Store,
        *,
        capacity: int = CAPACITY_ROWS,
        on_drop: Callable[[int], None] | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.dropped = 0
        self.fault: str | None = None  # why the last batch failed; None when it did not
        self._on_drop = on_drop
        self._wall_s = wall_s
        self._backlog = Backlog(capacity)
        self._units: dict[int, tuple[Decision, str | None]] = {}
        self._thread: threading.Thread | None = None  # begins with the first row: a fork before it must not lose it
        self._ends = threading.Event()
        self._settled = 0  # rows written or dropped
        self._progress = threading.Condition()

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Remember the unit's hash until the request is over."""
        if decision.router is not None and facts.forced_variant is None:  # what was forced joins no unit's figures
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

    def start(self) -> None:
        """Connect to an eager store at once, so that its state is known before the first row."""
        if self.store.eager:
            self._begin()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything told so far is written or dropped. Blocks: not for the event loop. False: too late."""
        told = self._backlog.added
        self._backlog.hurry()
        with self._progress:
            return self._progress.wait_for(lambda: self._settled >= told, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is queued and end the thread; a store that cannot be reached is asked once more."""
        self._ends.set()
        self._backlog.hurry()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="records", daemon=True)
            self._thread.start()

    def _put(self, table: str, row: Row) -> None:
        if self._thread is None:
            self._begin()
        if gone := self._backlog.add(table, row):
            self._drop(gone)

    def _drop(self, rows: int) -> None:
        with self._progress:
            self.dropped += rows
        if self._on_drop is not None and rows:
            self._on_drop(rows)
        self._settle(rows)

    def _settle(self, rows: int) -> None:
        with self._progress:
            self._settled += rows
            self._progress.notify_all()

    def _run(self) -> None:
        if self.store.eager:
            self._patiently(self.store.open)
        while self._backlog or not self._ends.is_set():
            if batch := self._backlog.take():
                self._write(batch)
        self.store.close()

    def _write(self, batch: Batch) -> None:
        rows = sum(len(of_table) for of_table in batch.values())
        fault = self._patiently(lambda: self.store.write(batch))
        if fault is None:
            self._settle(rows)
        else:
            self._drop(rows)
        if fault is not None and fault.passing:  # the end has come and nobody is there: the others find nobody, either
            self._drop(self._backlog.clear())

    def _patiently(self, work: Callable[[], None]) -> StoreError | None:
        """Do it, again while the store is not reached and the end has not come. What made it fail in the end."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, StoreError) and error.passing),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_S),
            stop=stop_when_event_set(self._ends),
            sleep=sleep_using_event(self._ends),
            before_sleep=self._pause,
            reraise=True,
        )
        try:
            retrying(work)
        except StoreError as fault:
            self._failed(fault)
            return fault
        if self.fault is not None:
            self.fault = None
            log.info("records are written again", extra={"fields": {"dropped_rows": self.dropped}})
        return None

    def _pause(self, state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome is not None else None
        if isinstance(fault, StoreError):
            self._failed(fault)

    def _failed(self, fault: StoreError) -> None:
        first = self.fault is None
        self.fault = str(fault)
        if first:
            log.warning("records cannot be written", extra={"fields": {"error": self.fault}})
