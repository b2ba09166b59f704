"""Ephemeral client secrets (`ek_…`): a short-lived credential bound to a session's configuration, safe in a browser.

A secret opens realtime sockets only and mints no other secret. Kept as digests, in this process.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from router.refusal import Refusal

from .documents import wrong_type
from .faults import refused

PREFIX = b"ek_"
SHORTEST_S, LONGEST_S, USUAL_S = 10, 7200, 600
MOST_SECRETS = 100_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What a secret stands for."""

    tenant: str
    session: Mapping[str, Any]
    ends_s: float


class SecretStore:
    """Secrets that are still good. `wall` is Unix time."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._grants: dict[bytes, Grant] = {}

    def issue(self, tenant: str, session: Mapping[str, Any], *, ttl_s: int) -> tuple[str, int]:
        """A new secret and when it ends (Unix time). Raises Refusal 429 when far too many are alive."""
        if len(self._grants) >= MOST_SECRETS:
            self._forget()
        if len(self._grants) >= MOST_SECRETS:
            raise refused(429, "Too many client secrets are alive; let some expire.", code="rate_limit_exceeded")
        value = PREFIX.decode() + os.urandom(24).hex()
        ends_s = int(self._wall()) + ttl_s
        self._grants[hashlib.sha256(value.encode()).digest()] = Grant(tenant, session, ends_s)
        return value, ends_s

    def verify(self, presented: bytes) -> Grant | None:
        """What a secret stands for, or None when it is unknown or over."""
        grant = self._grants.get(hashlib.sha256(presented).digest())
        return grant if grant is not None and grant.ends_s > self._wall() else None

    def _forget(self) -> None:
        now_s = self._wall()
        self._grants = {digest: grant for digest, grant in self._grants.items() if grant.ends_s > now_s}


def lifetime_s(document: Mapping[str, Any]) -> int:
    """`expires_after.seconds` of a request for a secret. Raises Refusal 400."""
    after = document.get("expires_after")
    if after is None:
        return USUAL_S
    if not isinstance(after, dict):
        raise wrong_type("expires_after", after, (dict,))
    unknown = next((name for name in after if name not in ("anchor", "seconds")), None)
    if unknown is not None:
        raise unknown_field(f"expires_after.{unknown}")
    if after.get("anchor", "created_at") != "created_at":
        message = "expires_after.anchor can only be 'created_at'"
        raise refused(400, message, code="invalid_value", param="expires_after.anchor")
    seconds = after.get("seconds")
    return USUAL_S if seconds is None else _checked_s(seconds)


def _checked_s(seconds: Any) -> int:
    where = "expires_after.seconds"
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise wrong_type(where, seconds, (int,))
    message = f"{where} must be a whole number from {SHORTEST_S} to {LONGEST_S}, is {seconds}"
    if seconds < SHORTEST_S:
        raise refused(400, message, code="integer_below_min_value", param=where)
    if seconds > LONGEST_S:
        raise refused(400, message, code="integer_above_max_value", param=where)
    return seconds


def unknown_field(name: str) -> Refusal:
    """The refusal of a field that a request for a secret does not have."""
    return refused(400, f"Unknown parameter: {name!r}.", code="unknown_parameter", param=name)
