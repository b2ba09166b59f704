"""On whose account a session's replies are made: what the caller's key may use, as in chat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from router.proxy.auth import OPEN, Principal
from router.proxy.limits import Limiter, Permit
from router.proxy.site import reserved
from router.router import Caller

from .protocol import RateLimit


@dataclass(frozen=True, slots=True)
class Account:
    """The caller of one session. `limiter` None: nothing is counted."""

    session_id: str
    principal: Principal = OPEN
    limiter: Limiter | None = None

    def caller(self, voice: Mapping[str, Any] | None = None) -> Caller:
        """What the router needs to know of this caller."""
        key = self.principal.key
        return Caller(protocol="realtime", key_id=key.id if key is not None else None, voice=dict(voice or {}))

    async def admit(self, document: Mapping[str, Any]) -> Permit:
        """Leave to ask for one reply. Raises Refusal 429 when the key has used up what it may."""
        return await reserved(self.limiter, self.principal, size_bytes=len(orjson.dumps(document)), document=document)


def rate_limits(permit: Permit) -> tuple[RateLimit, ...]:
    """Where the rates of a key stand; nothing for a key without."""
    told = (("requests", permit.requests), ("tokens", permit.tokens))
    return tuple(RateLimit(name, one.limit, one.remaining, round(one.reset_s, 3)) for name, one in told if one)
