"""What every endpoint of the proxy shares: the router, who may call, how much, and the caps."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from policies import Prices
from router.cycle import KNOWN
from router.observers import TurnedAway
from router.record import Record
from router.refusal import Refusal
from router.router import Caller, Router
from router.shedding import Shedding, memory_limit_bytes

from .auth import Authenticator, Principal
from .exchange import Exchange
from .faults import refused
from .limits import WITHOUT, Limiter, Permit, Quota
from .wire import PASSED_ON, cost_of, total_tokens

MEBIBYTE = 1024 * 1024
NOTHING: Mapping[str, str] = MappingProxyType({})
TYPICAL_ANSWER_TOKENS = 256
BYTES_PER_TOKEN = 4


@dataclass(slots=True)
class Unlimited:
    """The permit of a caller without limits."""

    requests: Quota | None = None
    tokens: Quota | None = None

    def settle(self, *, tokens: int | None, cost_usd: float | None) -> None:
        """Nothing to book."""

    def release(self) -> None:
        """Nothing to free."""


UNLIMITED = Unlimited()


@dataclass(slots=True)
class Site:
    """Shared by the endpoints; a reload replaces `authenticator`, the router swaps its own state."""

    router: Router
    authenticator: Authenticator
    limiter: Limiter
    clock: Callable[[], float]
    wall: Callable[[], float]
    body_limit_bytes: int = 32 * MEBIBYTE
    ping_s: float = 15.0
    draining: bool = False
    started_wall_s: float = 0.0
    shedding: Shedding = field(default_factory=lambda: Shedding(memory_limit_bytes()))

    def principal(self, headers: Mapping[bytes, bytes]) -> Principal:
        """Who calls. Raises Refusal 401; client secrets open sockets only (403)."""
        principal = self.authenticator.authenticate(headers)
        if principal.kind == "client_secret":
            message = "A client secret opens realtime sessions only; use an API key here."
            raise refused(403, message, code="insufficient_permissions")
        return principal

    def known(self, exchange: Exchange) -> Principal:
        """`principal`, found out once for a head that its connection repeats; only keys are remembered."""
        known = exchange.scope.get(KNOWN)
        if known is None:
            return self.principal(exchange.headers)
        if known.get("by") is self.authenticator:
            found: Principal = known["principal"]
            return found
        principal = self.principal(exchange.headers)
        if principal.kind == "key":
            known["by"], known["principal"] = self.authenticator, principal
        return principal

    def writer(self, headers: Mapping[bytes, bytes]) -> Principal:
        """Who calls, if they may write. Raises Refusal 401 or 403."""
        principal = self.principal(headers)
        if not principal.may_write:
            message = "This key may not change anything; use a key with 'write: true'."
            raise refused(403, message, code="insufficient_permissions")
        return principal

    def caller(self, exchange: Exchange, principal: Principal) -> Caller:
        """What the core needs to know of the request beside its document. Raises Refusal 403 for a forbidden force."""
        headers = exchange.headers
        forced = exchange.header("x-rr-variant") if b"x-rr-variant" in headers else None
        if forced is not None and not principal.may_write:
            message = "x-rr-variant forces a variant; only keys with 'write: true' may do that."
            raise refused(403, message, code="insufficient_permissions", param="x-rr-variant")
        traced = b"traceparent" in headers or b"tracestate" in headers
        passed = {name: exchange.header(name) for raw, name in PASSED_ON if headers.get(raw)} if traced else NOTHING
        key_id = principal.key.id if principal.key is not None else None
        return Caller(request_id=exchange.request_id, key_id=key_id, headers=passed, forced_variant=forced)

    def check_scope(self, principal: Principal, document: Mapping[str, Any], caller: Caller) -> None:
        """Refuse (404, as if it were not there) a router outside the key's `routers`, named directly or by an alias."""
        if principal.key is None or "*" in principal.key.routers:
            return
        try:
            router = self.router.decide(document, caller).router
        except Refusal as refusal:  # without the names of routers that are none of this key's business
            refusal.message = re.split(r"; (?:did you mean|configured are)", refusal.message)[0]
            raise
        if router is not None and not principal.may_route(router):
            raise refused(404, f"There is no router {router!r}.", code="router_not_found", param="model")

    def note(self, exchange: Exchange, refusal: Refusal) -> None:
        """Tell the observers of a refusal that met no decision; others they have been told of already."""
        if refusal.record is None:
            told = TurnedAway(refusal.status, refusal.code, exchange.method, exchange.path, exchange.request_id)
            for observer in self.router.observers:
                observer.on_turned_away(told)

    def admits_freely(self, exchange: Exchange, principal: Principal) -> Permit | None:
        """Leave for a caller without limits; None where there are some. Raises Refusal 503 under overload."""
        if self.shedding.share:
            self._shed(exchange)
        allowance = principal.allowance
        return UNLIMITED if allowance is WITHOUT else None

    def _shed(self, exchange: Exchange) -> None:
        """Refuse this call if it is one of those that are too many; a repeated head has been asked at the door."""
        shedding = self.shedding
        if shedding.share == 1 or (KNOWN not in exchange.scope and shedding.refuses()):
            message = f"The router is overloaded ({shedding.why}); try again in a moment."
            raise refused(503, message, code="router_overloaded", headers={"retry-after": "1"})

    async def admit(
        self,
        exchange: Exchange,
        principal: Principal,
        *,
        size_bytes: int,
        document: Mapping[str, Any] | None = None,
    ) -> Permit:
        """Leave to serve a request, its tokens reserved by estimate. Raises Refusal 429, or 503 under overload."""
        free = self.admits_freely(exchange, principal)
        if free is not None:
            return free
        return await reserved(self.limiter, principal, size_bytes=size_bytes, document=document or {})


async def reserved(
    limiter: Limiter | None, principal: Principal, *, size_bytes: int, document: Mapping[str, Any]
) -> Permit:
    """Leave to serve a request, its tokens reserved by estimate. Raises Refusal 429."""
    allowance = principal.allowance
    if limiter is None or allowance == WITHOUT:
        return UNLIMITED
    asked = document.get("max_completion_tokens") or document.get("max_tokens")
    answer = asked if isinstance(asked, int) else TYPICAL_ANSWER_TOKENS
    return await limiter.admit(principal.tenant, allowance, tokens=size_bytes // BYTES_PER_TOKEN + answer)


def settle(permit: Permit, record: Record | None) -> None:
    """Book what a request really used: nothing without an answer, the estimate when an answer was cut short."""
    if isinstance(permit, Unlimited):
        return
    if record is not None and record.served is not None:
        permit.settle(tokens=total_tokens(record), cost_usd=cost_of(record))
    elif record is None or not any(attempt.committed for attempt in record.attempts):
        permit.settle(tokens=0, cost_usd=0.0)
    else:
        permit.settle(tokens=None, cost_usd=estimated_usd(record.attempts[-1].target.prices))


def estimated_usd(prices: Prices | None) -> float | None:
    """What an answer without a usage cost: hanging up before the end must not make answers free."""
    return None if prices is None else (prices.input_usd + prices.output_usd) * TYPICAL_ANSWER_TOKENS


def spent(refusal: Refusal) -> Refusal:
    """Tell SDKs not to repeat a request whose plan was walked to its end: their retries would multiply ours."""
    if refusal.record is not None and refusal.record.attempts:
        refusal.headers.setdefault("x-should-retry", "false")
    return refusal
