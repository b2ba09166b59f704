"""How a session begins: configured defaults, a session document laid over them, and whether its names lead anywhere.

The same for a WebSocket and for the REST calls that mint a client secret: the answer is what the socket opens with.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policies import Decision, Facts
from router.config import Realtime
from router.proxy.auth import OPEN, Principal
from router.proxy.limits import Limiter
from router.refusal import Refusal
from router.router import Caller, Router

from . import protocol as p
from .codec import Dialect, read_session, wire_param, write_session
from .codec import Refusal as Misread
from .mcp.endpoint import reachable
from .packets import PacketMeter

VOICE = Caller(protocol="realtime")
SPEAKS = "{!r} hears and speaks by itself; connect anew with ?model= to talk to it."
BETA = "beta"  # how a stored session says that it is written in the beta shape
NAMES = (
    ("model", "settings.model"),
    ("hearing", "settings.transcription.model"),
    ("speaking", "settings.speech_model"),
)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a session begins: spelling, first settings, the rules of its endpoint, and what it may send."""

    dialect: Dialect
    settings: p.SessionSettings
    rules: p.SessionRules
    meter: PacketMeter
    principal: Principal = OPEN
    limiter: Limiter | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)  # the session a client secret carries, as it was written
    session_id: str = field(default_factory=lambda: f"sess_{secrets.token_hex(10)}")


def first_settings(realtime: Realtime, dialect: Dialect) -> p.SessionSettings:
    """The configured defaults of a session."""
    turns = realtime.turn_detection
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
    inworld = dialect is Dialect.INWORLD
    return p.SessionSettings(
        model=realtime.model,
        voice="alloy" if realtime.speech.voice == "default" else realtime.speech.voice,
        turn_detection=detection,
        modalities=("text", "audio") if inworld else ("audio",),
        transcription={"model": realtime.transcription.model} if inworld else None,
    )


def laid_over(settings: p.SessionSettings, document: Mapping[str, Any], dialect: Dialect) -> p.SessionSettings:
    """Settings with a session object over them, as an update would do it. Raises Refusal 400."""
    session = dict(document)
    if session.pop("dialect", None) == BETA:
        dialect = Dialect.BETA
    kind = session.pop("type", None) or settings.kind
    if dialect is not Dialect.BETA:
        session["type"] = kind
    try:
        patch = read_session(session, dialect, listening=kind == "transcription")
    except Misread as misread:
        fault = misread.fault
        raise Refusal(400, fault.message, code=fault.code, param=fault.param) from misread
    return settings.patched({**patch, "kind": kind})


def effective_session(realtime: Realtime, asked: Mapping[str, Any], names: "Names") -> dict[str, Any]:
    """The whole session that a client secret stands for, in the shape it was asked in. Raises Refusal 400."""
    dialect = Dialect.BETA if asked.get("dialect") == BETA else Dialect.GA
    first = first_settings(realtime, dialect)
    settings = laid_over(first, asked, dialect)
    fault = names.objection(first, settings, opens=True)
    if fault is not None:
        raise Refusal(400, fault.message, code=fault.code, param=wire_param(fault.param, dialect))
    document = write_session(f"sess_{secrets.token_hex(10)}", settings, int(time.time()), dialect)
    for unfit in ("expires_at", "client_secret"):
        document.pop(unfit, None)
    return document


class Names:
    """Judges what a session names: models (of words, of ears, of voices), its prompt, its tool servers."""

    def __init__(self, router: Router, principal: Principal, realtime: Realtime) -> None:
        self._router = router
        self._principal = principal
        self._prompts = realtime.prompts
        self._hosts = realtime.mcp.hosts

    def check(self, model: str, param: str = "model", *, opens: bool = True) -> None:
        """Raises Refusal when nothing answers to this model string, or this caller may not know of it.

        A target that speaks for itself answers only for a session that `opens`.
        """
        try:
            decision = self._router.decide({"model": model, "messages": []}, VOICE)
        except Refusal as refusal:
            spoken = self._spoken(model)
            if spoken is None or not opens:
                message = refusal.message if spoken is None else SPEAKS.format(model)
                raise Refusal(refusal.status, message, code=refusal.code, param=param, kind=refusal.kind) from refusal
            decision = spoken
        if decision.router is not None and not self._principal.may_route(decision.router):
            raise Refusal(404, f"The router {decision.router!r} does not exist.", code="router_not_found", param=param)

    def _spoken(self, model: str) -> Decision | None:
        try:
            return self._router.foresee(Facts(model, "realtime", kind="realtime"), VOICE)
        except Refusal:
            return None

    def objection(
        self, current: p.SessionSettings, wanted: p.SessionSettings, *, opens: bool = False
    ) -> p.Fault | None:
        """What is wrong with an update (or a session that `opens`), or None. Names that stay are not looked at."""
        for (_, param), before, after in zip(NAMES, named(current), named(wanted), strict=True):
            if after is None or after == before:
                continue
            try:
                self.check(after, opens=opens)
            except Refusal as refusal:
                return p.Fault(code="invalid_value", message=refusal.message, param=param)
        return self._unknown_prompt(wanted) or self._foreign_server(current, wanted)

    def _foreign_server(self, current: p.SessionSettings, wanted: p.SessionSettings) -> p.Fault | None:
        """A tool server that may not be named here."""
        if wanted.tools == current.tools:
            return None
        for number, tool in enumerate(wanted.tools):
            reason = reachable(tool["server_url"], self._hosts) if p.is_remote(tool) else None
            if reason is not None:
                param = f"settings.tools[{number}].server_url"
                return p.Fault(code="invalid_value", message=f"Invalid 'server_url': {reason}.", param=param)
        return None

    def _unknown_prompt(self, wanted: p.SessionSettings) -> p.Fault | None:
        asked = (wanted.prompt or {}).get("id")
        if not self._prompts or asked is None or asked in self._prompts:
            return None
        message = f"There is no prompt {asked!r}; configured are: {', '.join(sorted(self._prompts))}."
        return p.Fault(code="invalid_value", message=message, param="settings.prompt.id")


def named(settings: p.SessionSettings) -> tuple[str | None, str | None, str | None]:
    """The models that settings name, in the order of NAMES."""
    hearing = (settings.transcription or {}).get("model")
    return settings.model or None, hearing or None, settings.speech_model


def rules_of(realtime: Realtime, dialect: Dialect, names: Names) -> p.SessionRules:
    """What an endpoint's sessions may do, and for how long."""
    inworld = dialect is Dialect.INWORLD
    refuse: Callable[[p.SessionSettings, p.SessionSettings], p.Fault | None] = names.objection
    return p.SessionRules(
        locks_model=False,
        locks_voice=not inworld,
        early_partials=inworld,
        auto_tool_response=inworld,
        tells_suggestions=inworld,
        session_limit_ms=realtime.limits.session_minutes * 60_000,
        quiet_limit_ms=realtime.limits.idle_minutes * 60_000,
        ping_interval_ms=30_000 if inworld else 0,
        refuse=refuse,
    )


def bound_settings(
    realtime: Realtime, dialect: Dialect, bound: Mapping[str, Any] | None, *, listening: bool, model: str
) -> p.SessionSettings:
    """The settings a socket opens with. Raises Refusal 400 where nobody said which model."""
    settings = first_settings(realtime, dialect)
    if listening or (bound or {}).get("type") == "transcription":
        settings = replace(settings, kind="transcription")
    if bound is not None:
        settings = laid_over(settings, bound, dialect)
    if settings.kind == "transcription":
        return settings
    if not model and bound is None and dialect is not Dialect.INWORLD:
        message = "You must provide a model parameter. Append ?model=… to the URL."
        raise Refusal(400, message, code="missing_model", param="model")
    return replace(settings, model=model) if model and not (bound or {}).get("model") else settings
