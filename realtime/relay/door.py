"""Which sessions are relayed: those whose first choice speaks for itself, rather than having its replies spoken."""

import secrets
from dataclasses import replace

from policies import Facts, Plan
from realtime.opening import VOICE, Opening
from realtime.protocol import routing_facts
from realtime.studio import Studio
from router.refusal import Refusal

from .session import RelaySession
from .upstream import RealtimeUpstreams


class RelayDoor:
    """Asked for every session before it begins."""

    def __init__(self, studio: Studio, upstreams: RealtimeUpstreams) -> None:
        self._studio = studio
        self._upstreams = upstreams

    def session(self, opening: Opening) -> RelaySession | None:
        """The session to open, or None where it is no relay's. Raises Refusal 404 for a router the key may not use."""
        settings = opening.settings
        if settings.kind != "realtime" or settings.model == "auto":  # `auto` is the best of those that write
            return None
        facts = facts_of(opening)
        try:
            decision = self._studio.router.foresee(facts, VOICE)
        except Refusal:
            return None
        if not relays(decision.plan):
            return None
        if decision.router is not None and not opening.principal.may_route(decision.router):
            raise Refusal(
                404, f"The router {decision.router!r} does not exist.", code="router_not_found", param="model"
            )
        return RelaySession(self._studio, opening, self._upstreams, facts)

    def spoken_for(self, opening: Opening) -> bool:
        """Whether, with no such target left, the session's replies can be written here."""
        try:
            self._studio.router.foresee(replace(facts_of(opening), kind="chat"), VOICE)
        except Refusal:
            return False
        return True

    async def aclose(self) -> None:
        """Close the upstreams."""
        await self._upstreams.aclose()


def facts_of(opening: Opening) -> Facts:
    """What routing may know when a session begins."""
    user, facts = routing_facts(opening.settings.provider)
    return Facts(
        model=opening.settings.model,
        protocol="realtime",
        user=user or opening.session_id,
        metadata={"session_id": opening.session_id, **facts},
        seed=opening.session_id or secrets.token_hex(16),
        kind="realtime",
    )


def relays(plan: Plan) -> bool:
    """Whether a target that speaks for itself is the first choice of those that may be tried."""
    for candidate in plan.candidates:
        if not candidate.target.speaks:
            return False
        if candidate.skipped is None:
            return True
    return False
