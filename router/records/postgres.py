"""Rows to PostgreSQL: a transaction a batch, over one connection that is made again when it breaks.

The tables are SQLite's. They are made when one is missing; once they are there, the right to INSERT is enough. A
connection that breaks in the very moment of a commit may write a batch twice: requests and attempts have a key and
count once, exposures do not.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from .addresses import passwords_of
from .backlog import Batch
from .ledger import StoreError
from .reading import Rows
from .rows import SCHEMA, WIDTHS, Row

REDACTED = "[redacted]"
_LOCK = 0x726F75746572  # routers that start at once make the tables one after the other
_DEFAULTS = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 30, "application_name": "router"}
_SHOWN_CHARACTERS = 300
_SCHEMA = SCHEMA.replace(" REAL", " DOUBLE PRECISION").replace(" INTEGER", " BIGINT")
_INSERTS = {
    table: f"INSERT INTO {table} VALUES ({','.join(['%s'] * width)}) ON CONFLICT DO NOTHING"  # noqa: S608  own words
    for table, width in WIDTHS.items()
}


class PostgresStore:
    """A `Store` in a database at `postgresql://user:password@host:port/database?option=value`.

    Raises ValueError when libpq cannot read the address; the message does not show it.
    """

    eager = True

    def __init__(self, url: str) -> None:
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
            self._conninfo = make_conninfo("", **{**_DEFAULTS, **given})
        except psycopg.Error:  # its text quotes what it cannot read, perhaps the password
            raise ValueError(
                "is no address of PostgreSQL; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the special "
                "characters of a password as %XX"
            ) from None
        self._secrets = passwords_of(url)
        self._connection: psycopg.Connection | None = None

    def open(self) -> None:
        """See `Store.open`."""
        if self._connection is None:
            try:
                self._connection = self._connected()
            except psycopg.Error as error:
                raise StoreError(self._said(error), passing=True) from None

    def write(self, batch: Batch) -> None:
        """See `Store.write`."""
        self.open()
        connection = self._connection
        if connection is None:
            raise AssertionError("open() has made a connection")
        try:
            with connection.transaction(), connection.cursor() as cursor:
                for table, rows in batch.items():
                    cursor.executemany(_INSERTS[table], [_plain(row) for row in rows])
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise StoreError(self._said(error), passing=True) from None
        except (psycopg.Error, UnicodeError) as error:
            raise StoreError(self._said(error)) from None

    def read(self, query: str, values: Sequence[Any]) -> Rows:
        """Every row of a query. Raises StoreError."""
        self.open()
        connection = self._connection
        if connection is None:
            raise AssertionError("open() has made a connection")
        try:
            return connection.execute(query.encode(), values).fetchall()
        except (psycopg.Error, UnicodeError) as error:
            self.close()
            raise StoreError(self._said(error)) from None

    def close(self) -> None:
        """See `Store.close`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection:
        connection = psycopg.connect(self._conninfo, autocommit=True)
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                found = connection.execute(
                    "SELECT count(*) FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
                    (list(WIDTHS),),
                ).fetchone()
                if found != (len(WIDTHS),):
                    connection.execute(_SCHEMA)
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def _said(self, error: psycopg.Error | UnicodeError) -> str:
        """The server's words or libpq's on one line, without details (they quote rows) and without the password."""
        primary = error.diag.message_primary if isinstance(error, psycopg.Error) else type(error).__name__
        text = " ".join((primary or str(error)).split())
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return f"PostgreSQL: {text[:_SHOWN_CHARACTERS]}"


class PostgresReader:
    """A `Reader` of a database. Raises ValueError as the store does, and StoreError when nobody answers."""

    def __init__(self, url: str) -> None:
        self._store = PostgresStore(url)
        self._store.open()

    def rows(self, query: str, values: Sequence[Any] = ()) -> Rows:
        """See `Reader`."""
        return self._store.read(query.replace("?", "%s"), values)

    def close(self) -> None:
        """See `Reader`."""
        self._store.close()


def _plain(row: Row) -> Row:
    """A row as SQLite has it: true is 1; a character that PostgreSQL's text cannot hold is replaced."""
    return tuple(
        int(value) if isinstance(value, bool) else value.replace("\0", "\ufffd") if isinstance(value, str) else value
        for value in row
    )
