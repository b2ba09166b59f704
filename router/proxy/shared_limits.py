"""Limits that several nodes share, in Redis; this process alone keeps them while Redis cannot be reached.

The same arithmetic as in `limits`, as one script a request, on Redis's own clock. Redis may be down, hang or forget
everything: one request waits `PATIENCE_S`, then for `REST_S` nobody asks it and the local limits hold. Usage is booked
behind the request's back; a place is held as long as its node says so, and runs out `LEASE_S` after the node has died.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .limits import DAY_S, WINDOW_S, Allowance, Held, Limiter, Permit, exhausted, limited, quota_of

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript

PATIENCE_S = 0.05
REST_S = 5.0
LEASE_S = 300
MOST_BOOKINGS = 10_000

_ADMIT = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1e6
local limits = {tonumber(ARGV[1]), tonumber(ARGV[2])}
local units = {1, tonumber(ARGV[5])}
if tonumber(ARGV[4]) > 0 and tonumber(redis.call('GET', KEYS[4]) or '0') >= tonumber(ARGV[4]) then
  return {'budget', '0', '0', '0'}
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local arrivals, costs = {}, {}
for n = 1, 2 do
  arrivals[n] = math.max(tonumber(redis.call('GET', KEYS[n]) or '0'), now)
  costs[n] = limits[n] > 0 and math.min(units[n], limits[n]) * 60 / limits[n] or 0
end
local function answer(word, wait)
  return {word, tostring(wait), tostring(arrivals[1] - now), tostring(arrivals[2] - now)}
end
if tonumber(ARGV[3]) > 0 and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return answer('concurrent', 1) end
for n, word in ipairs({'requests', 'tokens'}) do
  local wait = arrivals[n] - now + costs[n] - 60
  if limits[n] > 0 and wait > 1e-6 then return answer(word, wait) end
end
for n = 1, 2 do
  if limits[n] > 0 then
    arrivals[n] = arrivals[n] + costs[n]
    redis.call('SET', KEYS[n], string.format('%.6f', arrivals[n]), 'EX', 120)
  end
end
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[7]), ARGV[6])
redis.call('EXPIRE', KEYS[3], ARGV[7])
return answer('ok', 0)
"""
_BOOK = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1e6
if ARGV[1] ~= '0' then
  local arrival = math.max(math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now) + tonumber(ARGV[1]), now)
  redis.call('SET', KEYS[2], string.format('%.6f', arrival), 'EX', 120)
end
if ARGV[2] ~= '0' then
  redis.call('INCRBYFLOAT', KEYS[4], ARGV[2])
  redis.call('EXPIRE', KEYS[4], 172800)
end
if ARGV[3] ~= '' then
  if ARGV[4] == '0' then redis.call('ZREM', KEYS[3], ARGV[3]) else
    redis.call('ZADD', KEYS[3], now + tonumber(ARGV[4]), ARGV[3])
    redis.call('EXPIRE', KEYS[3], ARGV[4])
  end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class _Booking:
    """What is still to be told to Redis: seconds of the token rate, a cost, a place that is free or goes on."""

    keys: tuple[str, ...]
    tokens_s: float = 0.0
    cost_usd: float = 0.0
    place: str = ""
    lease_s: int = 0  # of the place; 0: it is free


@dataclass(slots=True)
class SharedPermit(Held):
    """A permit that Redis gave."""

    keys: tuple[str, ...]
    place: str
    allowance: Allowance
    reserved: int
    later: Callable[[_Booking], None]
    held: dict[str, tuple[str, ...]]

    def _book(self, tokens: int | None, cost_usd: float) -> None:
        tpm = self.allowance.tpm
        back_s = (tokens - self.reserved) * WINDOW_S / tpm if tpm and tokens is not None else 0.0
        if back_s or cost_usd:
            self.later(_Booking(self.keys, back_s, cost_usd))

    def _free(self) -> None:
        self.held.pop(self.place, None)
        self.later(_Booking(self.keys, place=self.place))


class SharedLimiter:
    """Limits in Redis, with `local` in reserve. `run` must run beside it: it books what requests have used."""

    def __init__(self, url: str, local: Limiter, *, wall: Callable[[], float] = time.time) -> None:
        from redis.asyncio import Redis  # noqa: PLC0415  only where it is configured

        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S, max_connections=64, decode_responses=True
        )
        self._admit: AsyncScript = self._redis.register_script(_ADMIT)
        self._book: AsyncScript = self._redis.register_script(_BOOK)
        self._local = local
        self._wall = wall
        self._rests_until_s = 0.0
        self._bookings: asyncio.Queue[_Booking] = asyncio.Queue(MOST_BOOKINGS)
        self._places = itertools.count()
        self._held: dict[str, tuple[str, ...]] = {}  # places that count, with their keys
        self._node = os.urandom(6).hex()
        self.degraded = False

    async def admit(self, tenant: str, allowance: Allowance, *, tokens: int) -> Permit:
        """See `Limiter.admit`."""
        if time.monotonic() < self._rests_until_s:
            return await self._local.admit(tenant, allowance, tokens=tokens)
        if self.degraded:
            self._rests_until_s = time.monotonic() + REST_S  # one request asks whether it is back, the others go on
        keys = self._keys(tenant)
        place = f"{self._node}-{next(self._places)}"
        arguments = (
            allowance.rpm or 0,
            allowance.tpm or 0,
            allowance.concurrent or 0,
            allowance.budget_usd or 0,
            tokens,
            place,
            LEASE_S,
        )
        answer = await self._asked(self._admit, keys, arguments)
        if answer is None:
            return await self._local.admit(tenant, allowance, tokens=tokens)
        return self._permit(allowance, answer, keys, place, tokens)

    async def run(self) -> None:
        """Book usage until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold())
            await self._keep_books()

    async def _hold(self) -> None:
        """Say again and again which places are taken."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            for place, keys in self._held.items():
                self._later(_Booking(keys, place=place, lease_s=LEASE_S))

    async def _keep_books(self) -> None:
        while True:
            booking = await self._bookings.get()
            if time.monotonic() >= self._rests_until_s:
                arguments = (
                    f"{booking.tokens_s:.6f}" if booking.tokens_s else "0",
                    booking.cost_usd or "0",
                    booking.place,
                    booking.lease_s,
                )
                await self._asked(self._book, booking.keys, arguments)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _permit(
        self, allowance: Allowance, answer: Sequence[str], keys: tuple[str, ...], place: str, tokens: int
    ) -> Permit:
        word, wait_s = answer[0], float(answer[1])
        requests, tokens_left = (
            quota_of(limit, float(behind)) if limit else None
            for limit, behind in zip((allowance.rpm, allowance.tpm), answer[2:4], strict=True)
        )
        quotas = requests, tokens_left
        match word:
            case "budget":
                raise exhausted(allowance.budget_usd or 0.0, DAY_S - self._wall() % DAY_S)
            case "concurrent":
                raise limited("concurrent requests", allowance.concurrent or 0, 1.0, quotas)
            case "requests":
                raise limited("requests per minute", allowance.rpm or 0, wait_s, quotas)
            case "tokens":
                raise limited("tokens per minute", allowance.tpm or 0, wait_s, quotas)
        reserved = min(tokens, allowance.tpm) if allowance.tpm else tokens
        if allowance.concurrent:
            self._held[place] = keys
        return SharedPermit(
            keys, place, allowance, reserved, self._later, self._held, requests=quotas[0], tokens=quotas[1]
        )

    async def _asked(self, script: "AsyncScript", keys: tuple[str, ...], arguments: Sequence[Any]) -> Any:
        """A script's answer, or None when Redis did not give one in time."""
        from redis.exceptions import RedisError  # noqa: PLC0415  the same

        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await script(keys=list(keys), args=list(arguments))
        except (RedisError, OSError, TimeoutError):
            self.degraded = True
            self._rests_until_s = time.monotonic() + REST_S
            return None
        self.degraded = False
        self._rests_until_s = 0.0
        return answer

    def _later(self, booking: _Booking) -> None:
        if not self._bookings.full():
            self._bookings.put_nowait(booking)

    def _keys(self, tenant: str) -> tuple[str, ...]:
        stem = f"rr:limit:{{{tenant}}}"
        return f"{stem}:rpm", f"{stem}:tpm", f"{stem}:running", f"{stem}:usd:{int(self._wall() // DAY_S)}"
