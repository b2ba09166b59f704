"""Where voice clients connect: OpenAI's address and Inworld's, their credentials, first settings, limits and refusals.

On OpenAI's address an upgrade is always accepted and a refusal is an `error` event followed by OpenAI's close code;
on Inworld's a refusal is an HTTP status before the upgrade.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import orjson

from router.proxy.auth import Authenticator, Principal
from router.refusal import Refusal

from . import protocol as p
from .codec import Codec, Dialect
from .connection import Message, Opening, Receive, Send, Session, Sessions
from .packets import PacketMeters
from .studio import Studio

OPENAI_PATHS = ("/v1/realtime", "/realtime")
INWORLD_PATHS = ("/api/v1/realtime/session",)
SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
BAD_KEY, BAD_REQUEST, TRY_LATER = 3000, 4000, 1013


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
        self.sessions = Sessions()
        self._meters = PacketMeters(studio.clock)

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
        await send({"type": "websocket.accept", "subprotocol": chosen_subprotocol(asked)})
        session = Session(self.studio, opening)
        self.sessions.add(principal.tenant, session)
        try:
            await session.run(receive, send)
        finally:
            self.sessions.remove(principal.tenant, session)

    def _authenticate(self, asked: Asked) -> Principal:
        headers = dict(asked.headers)
        token = asked.query.get("token")
        if token and b"authorization" not in headers:
            headers[b"authorization"] = b"Bearer " + token.encode("latin-1", "replace")
        return self.authenticator.authenticate(headers, query=asked.raw_query, subprotocols=asked.subprotocols)

    def _opening(self, asked: Asked, principal: Principal) -> Opening:
        limits = self.studio.settings.limits
        key = principal.key
        allowed = (key.concurrent_sessions if key else None) or limits.concurrent_sessions
        if self.sessions.count(principal.tenant) >= allowed:
            message = f"This key may hold {allowed} realtime sessions at once, and has them all open."
            raise Refusal(
                429, message, code="rate_limit_exceeded", kind="rate_limit_error", headers={"retry-after": "1"}
            )
        per_second = (key.packets_per_second if key else None) or limits.packets_per_second
        return Opening(
            dialect=asked.dialect,
            settings=self._settings(asked, principal),
            rules=self._rules(asked, principal),
            meter=self._meters.of(principal.tenant, per_second),
        )

    # --- first settings ---------------------------------------------------------------------------------------------

    def _settings(self, asked: Asked, principal: Principal) -> p.SessionSettings:
        settings = first_settings(self.studio, asked.dialect)
        bound = dict(principal.session or {})
        if asked.query.get("intent") == "transcription" or bound.get("type") == "transcription":
            settings = replace(settings, kind="transcription")
        if bound:
            settings = with_document(settings, bound, asked.dialect)
        if settings.kind == "transcription":
            return settings
        model = asked.query.get("model") or bound.get("model") or ""
        if not model and asked.dialect is Dialect.INWORLD:
            model = self.studio.settings.model
        if not model:
            message = "You must provide a model parameter. Append ?model=… to the URL."
            raise Refusal(400, message, code="missing_model", param="model")
        self._check_model(model, principal)
        return replace(settings, model=model)

    def _check_model(self, model: str, principal: Principal) -> None:
        decision = self.studio.router.decide({"model": model, "messages": []})
        if decision.router is not None and not principal.may_route(decision.router):
            raise Refusal(404, f"The router {decision.router!r} does not exist.", code="invalid_model", param="model")

    def _rules(self, asked: Asked, principal: Principal) -> p.SessionRules:
        limits = self.studio.settings.limits
        inworld = asked.dialect is Dialect.INWORLD

        def refuse(current: p.SessionSettings, wanted: p.SessionSettings) -> p.Fault | None:
            if wanted.model == current.model or not wanted.model:
                return None
            try:
                self._check_model(wanted.model, principal)
            except Refusal as refusal:
                return p.Fault(code="invalid_value", message=refusal.message, param="session.model")
            return None

        return p.SessionRules(
            locks_model=False,
            locks_voice=not inworld,
            early_partials=inworld,
            auto_tool_response=inworld,
            tells_suggestions=inworld,
            session_limit_ms=limits.session_minutes * 60_000,
            quiet_limit_ms=limits.idle_minutes * 60_000,
            ping_interval_ms=30_000 if inworld else 0,
            refuse=refuse,
        )

    # --- refusals ---------------------------------------------------------------------------------------------------

    async def _refuse(self, asked: Asked, send: Send, refusal: Refusal) -> None:
        if asked.dialect is Dialect.INWORLD:
            await refuse_upgrade(send, refusal)
            return
        code = {401: BAD_KEY, 403: BAD_KEY, 429: TRY_LATER}.get(refusal.status, BAD_REQUEST)
        name = "invalid_model" if refusal.code in ("model_not_found", "router_not_found") else refusal.code
        fault = p.Fault(code=name, message=refusal.message, param=refusal.param, kind=refusal.kind)
        codec = Codec(asked.dialect, event_ids=lambda: "event_refused")
        frame = codec.encode(p.ErrorRaised(fault=fault, event_id=None))
        await send({"type": "websocket.accept", "subprotocol": chosen_subprotocol(asked)})
        if frame is not None:
            await send({"type": "websocket.send", "text": frame.decode()})
        await send({"type": "websocket.close", "code": code, "reason": f"{refusal.kind}.{name}"[:120]})

    def drain(self) -> None:
        """The server wants to end: tell every session."""
        self.sessions.drain()


async def refuse_upgrade(send: Send, refusal: Refusal) -> None:
    """Answer the upgrade with an HTTP status and OpenAI's envelope."""
    body = orjson.dumps(refusal.document())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    start: Message = {"type": "websocket.http.response.start", "status": refusal.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})


def chosen_subprotocol(asked: Asked) -> str | None:
    """`realtime` when it was offered; the key is never echoed."""
    return SUBPROTOCOL if SUBPROTOCOL in asked.subprotocols else None


def first_settings(studio: Studio, dialect: Dialect) -> p.SessionSettings:
    """The configured defaults of a session."""
    turns = studio.settings.turn_detection
    detection = None
    if turns.type != "none":
        detection = p.TurnDetection(
            kind=turns.type,
            threshold=turns.threshold,
            prefix_padding_ms=turns.prefix_padding_ms,
            silence_duration_ms=turns.silence_duration_ms,
            idle_timeout_ms=turns.idle_timeout_ms,
            eagerness=turns.eagerness,
            create_response=turns.create_response,
            interrupt_response=turns.interrupt_response,
        )
    voice = studio.settings.speech.voice
    return p.SessionSettings(
        model=studio.settings.model,
        voice="alloy" if voice == "default" else voice,
        turn_detection=detection,
        modalities=("audio",) if dialect is Dialect.GA else ("text", "audio"),
    )


def with_document(settings: p.SessionSettings, document: Mapping[str, Any], dialect: Dialect) -> p.SessionSettings:
    """Settings with a session object laid over them, as `session.update` would. Raises Refusal 400."""
    codec = Codec(dialect, event_ids=lambda: "")
    session = {"type": settings.kind, **document}
    event = codec.decode(orjson.dumps({"type": "session.update", "session": session}))
    if isinstance(event, p.Malformed):
        raise Refusal(400, event.fault.message, code=event.fault.code, param=event.fault.param)
    if not isinstance(event, p.UpdateSession):
        raise p.BrokenInvariantError("a session.update decoded to something else")
    return settings.patched(event.patch)
