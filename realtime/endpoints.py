"""Where voice clients connect: OpenAI's address and Inworld's, their credentials, first settings, limits and refusals.

On OpenAI's address an upgrade is always accepted and a refusal is an `error` event followed by OpenAI's close code;
on Inworld's a refusal is an HTTP status before the upgrade.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from router.config.models import Provider
from router.proxy.auth import Authenticator, Principal
from router.proxy.limits import Allowance, Limiter, Permit
from router.proxy.site import UNLIMITED
from router.refusal import Refusal
from router.ws_short_way import SHORT_WAY

from . import protocol as p
from .addresses import INWORLD_PATHS, OPENAI_PATHS, refuse_upgrade
from .codec import Codec, Dialect
from .connection import Session
from .lifetime import Receive, Send
from .opening import Names, Opening, bound_settings, rules_of
from .packets import PacketMeters
from .relay.door import RelayDoor
from .relay.endings import close_code
from .relay.session import RelaySession
from .relay.upstream import RealtimeUpstreams
from .sessions import Sessions
from .studio import Studio

SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
BAD_KEY = 3000
NO_KEY = Refusal(401, "Missing bearer or basic authentication in header")  # OpenAI's words, and its want of a code


@dataclass(frozen=True, slots=True)
class Asked:
    """What the upgrade request says."""

    path: str
    query: Mapping[str, str]
    raw_query: bytes
    headers: Mapping[bytes, bytes]
    subprotocols: tuple[str, ...]

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Asked":
        """Read an ASGI scope."""
        raw: bytes = scope.get("query_string", b"")
        query = {name: values[-1] for name, values in parse_qs(raw.decode("latin-1"), keep_blank_values=True).items()}
        return cls(
            scope["path"].rstrip("/") or "/", query, raw, dict(scope["headers"]), tuple(scope.get("subprotocols", ()))
        )

    @property
    def dialect(self) -> Dialect:
        """Inworld by address, beta by header or subprotocol, else GA."""
        if self.path in INWORLD_PATHS:
            return Dialect.INWORLD
        beta = b"realtime=v1" in self.headers.get(b"openai-beta", b"") or BETA_SUBPROTOCOL in self.subprotocols
        return Dialect.BETA if beta else Dialect.GA


class VoiceEndpoints:
    """The ASGI callable for WebSockets."""

    def __init__(self, studio: Studio, authenticator: Authenticator) -> None:
        self.studio = studio
        self.authenticator = authenticator  # replaced on a reload
        self.limiter: Limiter | None = None  # of keys; None: nothing is counted
        self.sessions = Sessions()
        self._meters = PacketMeters(studio.clock)
        self._relays: RelayDoor | None = None

    def relay_over(self, providers: Callable[[], Mapping[str, Provider]]) -> None:
        """Hand sessions through to those of these providers that speak for themselves."""
        self._relays = RelayDoor(self.studio, RealtimeUpstreams(providers))

    async def aclose(self) -> None:
        """Close what sessions were handed through."""
        if self._relays is not None:
            await self._relays.aclose()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await receive()  # websocket.connect
        asked = Asked.of(scope)
        if asked.path not in OPENAI_PATHS + INWORLD_PATHS:
            await refuse_upgrade(
                send, Refusal(404, f"There is no WebSocket at {asked.path[:200]!r}.", code="not_found")
            )
            return
        try:
            principal = self._authenticate(asked)
            opening = self._opening(asked, principal)
        except Refusal as refusal:
            await self._refuse(asked, send, refusal)
            return
        try:
            relay = self._relays.session(opening) if self._relays is not None else None
        except Refusal as refusal:
            await self._refuse(asked, send, refusal)
            return
        try:
            place = await self._place(principal)
        except Refusal as refusal:
            await self._refuse(asked, send, refusal)
            return
        session = relay or Session(self.studio, opening)
        self.sessions.add(principal.tenant, session)
        try:
            if relay is not None:
                await relay.open()
            await self._serve(session, asked, scope, receive, send)
        except Refusal as refusal:
            if self._relays is None or not self._relays.spoken_for(opening):
                await self._refuse(asked, send, refusal)
                return
            await self._serve(Session(self.studio, opening), asked, scope, receive, send)
        finally:
            self.sessions.remove(principal.tenant, session)
            place.release()

    async def _serve(
        self, session: Session | RelaySession, asked: Asked, scope: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        await send({"type": "websocket.accept", "subprotocol": chosen_subprotocol(asked)})
        short = scope.get("extensions", {}).get(SHORT_WAY)
        for observer in self.studio.observers:
            observer.on_sessions(1)
        try:
            await session.run(receive, send, short["way"] if short else None)
        finally:
            for observer in self.studio.observers:
                observer.on_sessions(-1)

    def _authenticate(self, asked: Asked) -> Principal:
        headers = dict(asked.headers)
        token = asked.query.get("token")
        if token and not headers.get(b"authorization"):
            headers[b"authorization"] = b"Bearer " + token.encode("latin-1", "replace")
        return self.authenticator.authenticate(headers, query=asked.raw_query, subprotocols=asked.subprotocols)

    def _opening(self, asked: Asked, principal: Principal) -> Opening:
        if asked.dialect is Dialect.INWORLD and asked.query.get("protocol", SUBPROTOCOL) != SUBPROTOCOL:
            raise Refusal(400, "The only protocol here is 'realtime'.", code="invalid_value", param="protocol")
        realtime, key = self.studio.settings, principal.key
        allowed = self._allowed(principal)
        if self.sessions.count(principal.tenant) >= allowed:
            raise all_open(allowed)
        names = Names(self.studio.router, principal, realtime)
        settings = bound_settings(
            realtime,
            asked.dialect,
            principal.session,
            listening=asked.query.get("intent") == "transcription",
            model=asked.query.get("model", ""),
        )
        if settings.kind == "realtime" and asked.query.get("model"):  # a default is the operator's word
            names.check(settings.model)
        per_second = (key.packets_per_second if key else None) or realtime.limits.packets_per_second
        return Opening(
            dialect=asked.dialect,
            settings=settings,
            rules=rules_of(realtime, asked.dialect, names),
            meter=self._meters.of(principal.tenant, per_second),
            principal=principal,
            limiter=self.limiter,
            bound=principal.session or {},
        )

    def _allowed(self, principal: Principal) -> int:
        own = principal.key.concurrent_sessions if principal.key else None
        return own or self.studio.settings.limits.concurrent_sessions

    async def _place(self, principal: Principal) -> Permit:
        """A place among the key's sessions, of every node where limits are shared. Raises Refusal 429."""
        if self.limiter is None:
            return UNLIMITED
        allowed = self._allowed(principal)
        try:
            return await self.limiter.admit(f"{principal.tenant}/sessions", Allowance(concurrent=allowed), tokens=0)
        except Refusal as refusal:
            raise all_open(allowed) from refusal

    async def _refuse(self, asked: Asked, send: Send, refusal: Refusal) -> None:
        if asked.dialect is Dialect.INWORLD:
            await refuse_upgrade(send, refusal)
            return
        if refusal.code == "missing_api_key":
            refusal = NO_KEY
        code = {401: BAD_KEY, 403: BAD_KEY}.get(refusal.status) or close_code(refusal)
        name = "invalid_model" if refusal.code in ("model_not_found", "router_not_found") else refusal.code
        fault = p.Fault(code=name, message=refusal.message, param=refusal.param, kind=refusal.kind)
        codec = Codec(asked.dialect, event_ids=lambda: f"event_{secrets.token_hex(10)}")
        frame = codec.encode(p.ErrorRaised(fault=fault, event_id=None))
        await send({"type": "websocket.accept", "subprotocol": chosen_subprotocol(asked)})
        if frame is not None:
            await send({"type": "websocket.send", "text": frame.decode()})
        await send(
            {"type": "websocket.close", "code": code, "reason": f"{refusal.kind}.{name or 'invalid_api_key'}"[:120]}
        )

    def drain(self) -> None:
        """The server wants to end: tell every session."""
        self.sessions.drain()


def all_open(allowed: int) -> Refusal:
    """429: the key has no session left."""
    message = f"This key may hold {allowed} realtime sessions at once, and has them all open."
    return Refusal(429, message, code="rate_limit_exceeded", kind="rate_limit_error", headers={"retry-after": "1"})


def chosen_subprotocol(asked: Asked) -> str | None:
    """`realtime` when it was offered; the key is never echoed."""
    return SUBPROTOCOL if SUBPROTOCOL in asked.subprotocols else None
