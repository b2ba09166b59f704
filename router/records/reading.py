"""Reading what the ledger wrote: for reports, and for outcomes that come days after their request. Never writes."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from .ledger import StoreError

Rows = list[tuple[Any, ...]]


class NothingYetError(StoreError):
    """There is no store so far: nothing was recorded."""


class Reader(Protocol):
    """An open store, for one thread."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> Rows:
        """Every row of a query with `?` for its values. Raises StoreError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_reader(url: str | None) -> Reader:
    """The store at a `records.url`. Raises ValueError with a remedy, and StoreError where it cannot be opened."""
    if url is None or url.startswith("memory://"):
        raise ValueError("no records are kept: records.url is null; name a file or a database in the server file")
    if url.startswith("sqlite:///"):
        return SqliteReader(Path(url.removeprefix("sqlite:///")))
    try:
        from .postgres import PostgresReader  # noqa: PLC0415  psycopg is an extra
    except ImportError as error:
        raise ValueError("needs the psycopg package; install it: pip install 'realtime-router[postgres]'") from error
    return PostgresReader(url)


class SqliteReader:
    """A `Reader` of one file."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise NothingYetError(f"{path}: no such file; has the router served anything from this folder yet?")
        self._path = path
        try:
            self._database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    def rows(self, query: str, values: Sequence[Any] = ()) -> Rows:
        """See `Reader`."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def close(self) -> None:
        """See `Reader`."""
        self._database.close()
