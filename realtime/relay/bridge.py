"""The walk of a relayed session: which upstream has it, which one next, and the record of all of them.

A connection is an attempt like any other: it begins with the dial, has its first token with `session.created`, and
ends well only when the client leaves. An upstream that held for a while and dies begins no walk that is spent already.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policies import Attempt, Decision, Facts, Outcome, Target, Try
from router.record import shown_attempt
from router.refusal import Refusal
from router.router import Caller, Router
from router.upstreams.base import UpstreamFault
from router.walk import Walk

from .endings import refused_as
from .frames import glance, opened
from .upstream import Line, RealtimeUpstreams

PROVED_S = 10.0  # an upstream that held so long and dies may be dialled anew, whatever was tried before
AS_LONG_AS_IT_TAKES_S = 86_400.0 * 2


class Bridge:
    """From one session to its upstreams. Used by one task at a time."""

    def __init__(self, router: Router, upstreams: RealtimeUpstreams, facts: Facts, caller: Caller) -> None:
        self._router = router
        self._upstreams = upstreams
        self._facts = facts
        self._caller = caller
        self._past: list[dict[str, Any]] = []  # attempts of walks that are over
        self._walk: Walk | None = None
        self._serving: tuple[Target, float, float] | None = None  # since when, and when it had the session
        self._lost_after_s = 0.0
        self.beta = False  # whether the upstream speaks the beta
        self.greeting = b""  # its `session.created`

    @property
    def target(self) -> str:
        """Who has the session; empty before anybody has."""
        return self._serving[0].name if self._serving is not None else ""

    @property
    def serving(self) -> Target | None:
        """The same, whole."""
        return self._serving[0] if self._serving is not None else None

    @property
    def decision(self) -> Decision | None:
        """Why it is who it is."""
        return self._walk.decision if self._walk is not None else None

    @property
    def patience_s(self) -> float:
        """How long the upstream may be silent while it owes a response."""
        return self._walk.decision.plan.limits.timeouts.first_token_s if self._walk is not None else 10.0

    @property
    def held_s(self) -> float:
        """How long the upstream has had the session."""
        return self._router.clock.now() - self._serving[2] if self._serving is not None else 0.0

    async def open(self) -> Line:
        """The first upstream that takes the session. Raises Refusal when nobody does."""
        walk = self._walk = self._router.walk(self._facts, kind="realtime", caller=self._caller)
        walk.decision = enduring(walk.decision)
        walk.record.streamed = True
        try:
            return await walk.open(self._attempt)
        except Refusal as refusal:
            walk.finish(refusal.status)
            raise
        except BaseException:
            walk.finish()
            raise

    def lose(self, fault: UpstreamFault) -> None:
        """The upstream is lost."""
        self._lost_after_s, self._serving = self.held_s, None
        if self._walk is not None:
            self._walk.fail(fault)

    async def next(self) -> Line:
        """The one that takes the place of the upstream that was lost. Raises Refusal when nobody is left."""
        walk = self._walk
        if walk is None:
            return await self.open()
        try:
            return await walk.open(self._attempt)
        except Refusal as refusal:
            walk.finish(refusal.status)
            if self._lost_after_s < PROVED_S:
                raise
        self._past += walk.record.metadata()["attempts"]
        self._facts = replace(self._facts, seed="")  # it names the record
        return await self.open()

    def used(self, usage: Mapping[str, int]) -> None:
        """A response took so many tokens."""
        if self._walk is not None and usage:
            before = self._walk.record.usage or {}
            self._walk.record.usage = {
                name: before.get(name, 0) + usage.get(name, 0) for name in {*before.keys(), *usage.keys()}
            }

    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt so far, the one that has the session as the success it is up to now."""
        told = list(self._past)
        if self._walk is not None:
            told += self._walk.record.metadata()["attempts"]
        if self._serving is not None:
            target, began_s, had_s = self._serving
            now_s = self._router.clock.now()
            open_one = Attempt(target, Outcome.SUCCESS, began_s, now_s, had_s, stage="realtime")
            told.append(shown_attempt(open_one))
        return told

    def finish(self) -> None:
        """The client has left, or we have sent it away: whoever has the session did well. May be repeated."""
        if self._walk is not None:
            served, self._serving = self._serving is not None, None
            if served:
                self._walk.settle(Outcome.SUCCESS)
            self._walk.finish(200 if served else None)

    async def _attempt(self, step: Try) -> Line:
        began_s = self._router.clock.now()
        upstream = self._upstreams.of(step.target)
        line = await upstream.connect(step)
        limit_s = step.timeouts.connect_s
        try:
            async with asyncio.timeout(limit_s):
                self.greeting = await _greeting(line)
        except TimeoutError:
            await line.close()
            message = f"no session.created within {limit_s:g} s"
            raise UpstreamFault(Outcome.FIRST_TOKEN_TIMEOUT, message, status_code=101) from None
        except BaseException:
            await line.close()
            raise
        if self._walk is not None:
            self._walk.first_token(committed=True)
        self.beta = upstream.beta
        self._serving = step.target, began_s, self._router.clock.now()
        return line


async def _greeting(line: Line) -> bytes:
    """Its first word, when it is `session.created`. Raises UpstreamFault for an error."""
    while True:
        frame = await line.receive()
        seen = glance(frame) if frame is not None else None
        if frame is None or seen is None:
            raise UpstreamFault(Outcome.MALFORMED_RESPONSE, "the first frame is no event")
        if seen.kind == "session.created":
            return frame
        if seen.kind == "error":
            raise refused_as(opened(frame) or {})


def enduring(decision: Decision) -> Decision:
    """The same decision for a call that lasts: no deadline over all of it, and it goes on elsewhere when cut."""
    limits = decision.plan.limits
    limits = replace(
        limits,
        timeouts=replace(limits.timeouts, total_s=limits.timeouts.total_s + AS_LONG_AS_IT_TAKES_S),
        on_interrupt="continue",
        hedge=None,
        first_token_s=None,
    )
    return replace(decision, plan=replace(decision.plan, limits=limits))
