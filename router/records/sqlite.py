"""Rows to a file of SQLite, opened with the first row. A batch that fails is not tried again: the disk is here."""

import sqlite3
from pathlib import Path

from .backlog import Batch
from .ledger import StoreError
from .rows import INSERTS, SCHEMA


class SqliteStore:
    """A `Store` in one file; `:memory:` keeps nothing."""

    eager = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """See `Store.open`."""
        try:
            self._opened()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.path}: {error}") from error

    def write(self, batch: Batch) -> None:
        """See `Store.write`."""
        try:
            database = self._opened()
            with database:
                for table, rows in batch.items():
                    database.executemany(INSERTS[table], rows)
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            raise StoreError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """See `Store.close`."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            if str(self.path) != ":memory:":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=5.0)
            try:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.executescript(SCHEMA)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database
