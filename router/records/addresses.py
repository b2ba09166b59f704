"""What `records.url` means: `sqlite:///file`, `postgresql://…`, `memory://`."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .ledger import Ledger, Store
from .sqlite import SqliteStore


def open_records(url: str | None, *, on_drop: Callable[[int], None] | None = None) -> Ledger | None:
    """The ledger for a `records.url`, None for null and `memory://`; nothing is opened yet.

    Raises ValueError with a remedy: another scheme, an address that cannot be read, a package that is missing.
    """
    if url is None or url.startswith("memory://"):
        return None
    return Ledger(store_at(url), on_drop=on_drop)


def store_at(url: str) -> Store:
    """The store for an address. Raises ValueError."""
    if url.startswith("sqlite:///"):
        return SqliteStore(Path(url.removeprefix("sqlite:///")))
    if not url.startswith(("postgresql://", "postgres://")):
        scheme = url.partition("://")[0]
        raise ValueError(f"{scheme!r} is not known here; use sqlite:///FILE, postgresql://… or null")
    try:
        from .postgres import PostgresStore  # noqa: PLC0415  psycopg is an extra
    except ImportError as error:
        raise ValueError("needs the psycopg package; install it: pip install 'realtime-router[postgres]'") from error
    return PostgresStore(url)


def passwords_of(url: str) -> tuple[str, ...]:
    """Passwords of four characters or more in an address, as written and as meant, long ones first. Never show them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    found = [parts.password or ""]
    found += [value for name, _, value in (pair.partition("=") for pair in parts.query.split("&")) if "pass" in name]
    words = {text for one in found for text in (one, unquote(one)) if len(text) >= 4}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))
