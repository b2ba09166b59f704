"""How much a key may use: requests and tokens per minute, requests at once, a budget.

Rates are GCRA (the generic cell rate algorithm, ITU-T I.371): one number per key and rate, the theoretical arrival
time; pure arithmetic with the clock handed in. Tokens are reserved by estimate and settled when the usage is known.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from router.refusal import Refusal

from .faults import refused

WINDOW_S = 60.0
DAY_S = 86_400
ROUNDING_S = 1e-6  # sums of large clock readings are not exact


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one key may use. None means: without limit."""

    rpm: int | None = None
    tpm: int | None = None
    concurrent: int | None = None
    budget_usd: float | None = None  # list price of what may be spent in one day, from midnight UTC


@dataclass(frozen=True, slots=True)
class Quota:
    """Where one rate stands: allowed per minute, left now, seconds until all of it is back."""

    limit: int
    remaining: int
    reset_s: float


WITHOUT = Allowance()


def allowed(allowance: Allowance) -> Allowance:
    """The same; without any limit it is `WITHOUT` itself, which is known at sight."""
    return WITHOUT if allowance == WITHOUT else allowance


class Permit(Protocol):
    """Leave to serve one request. `settle` once the usage is known, `release` in any case; both may be repeated."""

    requests: Quota | None
    tokens: Quota | None

    def settle(self, *, tokens: int | None, cost_usd: float | None) -> None:
        """Book the real usage: refund what was reserved too much, charge what was too little."""
        ...

    def release(self) -> None:
        """The request is over."""
        ...


class Limiter(Protocol):
    """Where limits are kept: in this process, or in a store that several nodes share."""

    async def admit(self, tenant: str, allowance: Allowance, *, tokens: int) -> Permit:
        """Leave to serve a request of about `tokens` tokens. Raises Refusal 429."""
        ...


@dataclass(slots=True)
class Rate:
    """One GCRA cell: `per_minute` units, all of which may come at once after a quiet minute."""

    per_minute: int
    arrival_s: float = -math.inf

    @property
    def interval_s(self) -> float:
        return WINDOW_S / self.per_minute

    def wait_s(self, units: float, now_s: float) -> float:
        """Seconds until `units` would be admitted; 0 means now. More than a minute's worth counts as a minute's."""
        cost_s = min(units, self.per_minute) * self.interval_s
        wait_s = (max(self.arrival_s, now_s) - now_s) + cost_s - WINDOW_S
        return wait_s if wait_s > ROUNDING_S else 0.0

    def charge(self, units: float, now_s: float) -> None:
        """Use units; a negative number gives back."""
        self.arrival_s = max(max(self.arrival_s, now_s) + units * self.interval_s, now_s)

    def quota(self, now_s: float) -> Quota:
        """What is left."""
        return quota_of(self.per_minute, self.arrival_s - now_s)


@dataclass(slots=True)
class Usage:
    """What one tenant has used."""

    allowance: Allowance
    requests: Rate | None
    tokens: Rate | None
    running: int = 0
    spent_usd: float = 0.0
    day: int = 0  # the day (since 1970, UTC) of `spent_usd`


@dataclass(slots=True, kw_only=True)
class Held:
    """A permit that is settled once and released once, however often it is said."""

    requests: Quota | None = None
    tokens: Quota | None = None
    _settled: bool = False
    _released: bool = False

    def settle(self, *, tokens: int | None, cost_usd: float | None) -> None:
        """Book the real usage once. A request that never learned its usage keeps its reservation."""
        if not self._settled:
            self._settled = True
            self._book(tokens, cost_usd or 0.0)

    def release(self) -> None:
        """Free the place, once."""
        if not self._released:
            self._released = True
            self._free()

    def _book(self, tokens: int | None, cost_usd: float) -> None:
        raise NotImplementedError

    def _free(self) -> None:
        raise NotImplementedError


@dataclass(slots=True)
class LocalPermit(Held):
    """A permit of the in-process limiter."""

    usage: Usage
    reserved: int
    clock: Callable[[], float]

    def _book(self, tokens: int | None, cost_usd: float) -> None:
        self.usage.spent_usd += cost_usd
        if self.usage.tokens is not None and tokens is not None:
            self.usage.tokens.charge(tokens - self.reserved, self.clock())

    def _free(self) -> None:
        self.usage.running -= 1


class LocalLimiter:
    """Limits kept in this process."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._usage: dict[str, Usage] = {}

    async def admit(self, tenant: str, allowance: Allowance, *, tokens: int) -> Permit:
        """Leave to serve a request. Raises Refusal 429 with the wait; nothing is charged when any limit refuses."""
        now_s = self._clock()
        usage = self._of(tenant, allowance)
        wall_s = self._wall()
        if usage.day != (today := int(wall_s // DAY_S)):
            usage.day, usage.spent_usd = today, 0.0
        if allowance.budget_usd is not None and usage.spent_usd >= allowance.budget_usd:
            raise exhausted(allowance.budget_usd, DAY_S - wall_s % DAY_S)
        if allowance.concurrent is not None and usage.running >= allowance.concurrent:
            raise limited("concurrent requests", allowance.concurrent, 1.0, self._quotas(usage, now_s))
        for name, rate, units in (("requests", usage.requests, 1), ("tokens", usage.tokens, tokens)):
            if rate is not None and (wait_s := rate.wait_s(units, now_s)) > 0:
                raise limited(f"{name} per minute", rate.per_minute, wait_s, self._quotas(usage, now_s))
        if usage.requests is not None:
            usage.requests.charge(1, now_s)
        reserved = tokens
        if usage.tokens is not None:
            reserved = min(tokens, usage.tokens.per_minute)
            usage.tokens.charge(reserved, now_s)
        usage.running += 1
        requests_left, tokens_left = self._quotas(usage, now_s)
        return LocalPermit(usage, reserved, self._clock, requests=requests_left, tokens=tokens_left)

    def _of(self, tenant: str, allowance: Allowance) -> Usage:
        usage = self._usage.get(tenant)
        if usage is None:
            usage = self._usage[tenant] = Usage(WITHOUT, None, None)
        if usage.allowance == allowance:
            return usage
        usage.allowance = allowance  # changed in place: permits that are out must find it
        usage.requests = Rate(allowance.rpm) if allowance.rpm else None
        usage.tokens = Rate(allowance.tpm) if allowance.tpm else None
        return usage

    @staticmethod
    def _quotas(usage: Usage, now_s: float) -> tuple[Quota | None, Quota | None]:
        return (
            usage.requests.quota(now_s) if usage.requests else None,
            usage.tokens.quota(now_s) if usage.tokens else None,
        )


def quota_of(per_minute: int, behind_s: float) -> Quota:
    """Where a rate stands whose arrival time lies `behind_s` ahead of now."""
    behind_s = max(0.0, behind_s)
    remaining = math.floor((WINDOW_S - behind_s) * per_minute / WINDOW_S + ROUNDING_S)
    return Quota(per_minute, max(0, min(per_minute, remaining)), behind_s)


def limited(what: str, limit: int, wait_s: float, quotas: tuple[Quota | None, Quota | None]) -> Refusal:
    """429 with the wait in OpenAI's headers."""
    headers = quota_headers(*quotas)
    headers["retry-after"] = str(max(1, math.ceil(wait_s)))
    headers["retry-after-ms"] = str(max(1, math.ceil(wait_s * 1000)))
    message = f"Rate limit of this key reached: {limit} {what}. Try again in {wait_s:.3f} s."
    return refused(429, message, code="rate_limit_exceeded", headers=headers)


def exhausted(budget_usd: float, wait_s: float) -> Refusal:
    """429 that no retry will help before midnight UTC, `wait_s` from now."""
    message = f"Today's budget of this key ({budget_usd:g} US dollars) is spent; it begins anew at midnight UTC."
    headers = {"x-should-retry": "false", "retry-after": str(math.ceil(wait_s))}
    return refused(429, message, code="insufficient_quota", kind="insufficient_quota", headers=headers)


def quota_headers(requests: Quota | None, tokens: Quota | None) -> dict[str, str]:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as OpenAI writes them (`1.5s`, `20ms`)."""
    headers: dict[str, str] = {}
    for name, quota in (("requests", requests), ("tokens", tokens)):
        if quota is not None:
            headers[f"x-ratelimit-limit-{name}"] = str(quota.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(quota.remaining)
            reset_ms = math.ceil(quota.reset_s * 1000)
            headers[f"x-ratelimit-reset-{name}"] = f"{reset_ms}ms" if reset_ms < 1000 else f"{reset_ms / 1000:g}s"
    return headers
