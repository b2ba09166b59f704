"""The stores that a configuration names: limits that nodes share, and the ledger of requests. Nothing connects here."""

import time
from collections.abc import Callable

from router.config import ConfigError
from router.config.findings import Finding
from router.proxy.limits import LocalLimiter
from router.proxy.shared_limits import SharedLimiter
from router.records import Ledger, open_records


def shared_limiter(url: str) -> SharedLimiter | None:
    """Limits that nodes share, where `state.url` says so. Raises ConfigError when the redis package is missing."""
    if url.startswith("memory:"):
        return None
    try:
        return SharedLimiter(url, LocalLimiter(time.monotonic))
    except ImportError as error:
        remedy = "install it: pip install 'realtime-router[redis]'"
        raise ConfigError([Finding("server file", f"needs the redis package; {remedy}", path="state.url")]) from error


def ledger_of(url: str | None, on_drop: Callable[[int], None]) -> Ledger | None:
    """The ledger of `records.url`. Raises ConfigError: an address nobody can read, a package that is missing."""
    try:
        return open_records(url, on_drop=on_drop)
    except ValueError as error:
        raise ConfigError([Finding("server file", str(error), path="records.url")]) from error
