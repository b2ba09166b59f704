"""Credentials for sessions: client secrets in OpenAI's two shapes, and session tokens for signed requests."""

import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from router.refusal import Refusal

from .auth import Principal
from .documents import JsonObject, wrong_type
from .faults import refused
from .routers import iso
from .secrets import lifetime_s, unknown_field
from .site import Site
from .tokens import Nonces, parse_signed

KINDS = {"realtime": "realtime.session", "transcription": "realtime.transcription_session"}
BETA_TTL_S = 60
LARGEST_SESSION_FIELDS = 64
WORKSPACE = "default"

Effective = Callable[[Principal, Mapping[str, Any]], Mapping[str, Any]]


def as_asked(_principal: Principal, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The session as it was asked for, where nobody fills in the defaults."""
    return asked


class Sessions:
    """Mints client secrets. `effective(principal, asked)` gives the full session; it may raise Refusal 400."""

    def __init__(self, site: Site, effective: Effective = as_asked) -> None:
        self._site = site
        self._effective = effective

    def client_secret(self, principal: Principal, document: JsonObject) -> JsonObject:
        """`POST /v1/realtime/client_secrets`. Raises Refusal 400."""
        unknown = next((name for name in document if name not in ("expires_after", "session")), None)
        if unknown is not None:
            raise unknown_field(unknown)
        ttl_s = lifetime_s(document)
        asked = document.get("session")
        if asked is None:
            asked = {"type": "realtime"}
        session, kind = self._checked(asked, "session")
        full = self._effective(principal, session)
        value, ends_s = self._site.authenticator.secrets.issue(principal.tenant, session, ttl_s=ttl_s)
        return {"value": value, "expires_at": ends_s, "session": self._shown(kind, full, ends_s)}

    def beta(self, principal: Principal, document: JsonObject, kind: str) -> JsonObject:
        """`POST /v1/realtime/sessions` and `/transcription_sessions`: a flat session with its secret inside."""
        session, _ = self._checked({**document, "type": kind, "dialect": "beta"}, "session")
        try:
            effective = self._effective(principal, session)
        except Refusal as refusal:
            raise flattened(refusal) from refusal
        full = {name: value for name, value in effective.items() if name not in ("type", "dialect")}
        value, ends_s = self._site.authenticator.secrets.issue(principal.tenant, session, ttl_s=BETA_TTL_S)
        shown = {"id": f"sess_{os.urandom(12).hex()}", "object": KINDS[kind], **full}
        return {**shown, "client_secret": {"value": value, "expires_at": ends_s}}

    def _checked(self, asked: Any, param: str) -> tuple[JsonObject, str]:
        if not isinstance(asked, dict):
            raise wrong_type(param, asked, (dict,))
        kind = asked.get("type", "realtime")
        if not isinstance(kind, str) or kind not in KINDS:
            message = f"{param}.type must be 'realtime' or 'transcription'"
            raise refused(400, message, code="invalid_value", param=f"{param}.type")
        if len(asked) > LARGEST_SESSION_FIELDS:
            raise refused(400, f"{param} has too many fields", code="invalid_value", param=param)
        return {**asked, "type": kind}, kind

    @staticmethod
    def _shown(kind: str, session: Mapping[str, Any], ends_s: int) -> JsonObject:
        full = {"id": f"sess_{os.urandom(12).hex()}", **session}
        return {"type": kind, "object": KINDS[kind], "expires_at": ends_s, **full}


def flattened(refusal: Refusal) -> Refusal:
    """The refusal of a session's field where the session is the whole body."""
    param = refusal.param.removeprefix("session.") if refusal.param is not None else None
    message = refusal.message.replace("'session.", "'")
    return refused(refusal.status, message, code=refusal.code or "invalid_value", param=param)


class TokenDesk:
    """`POST /auth/v1/tokens/token:generate`: a session token for whoever signs with a key's secret."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._nonces = Nonces(site.wall)

    def generate(self, authorization: str, document: JsonObject) -> JsonObject:
        """The token. Raises Refusal 401 (no signed header), 403 (bad signature, replay, foreign workspace)."""
        asked = parse_signed(authorization)
        authenticator = self._site.authenticator
        key = authenticator.keys.get(asked.key_id)
        self._nonces.check(asked, key.secret if key is not None else os.urandom(16).hex())
        if key is None:  # cannot happen but by a guess of 128 bits; the path is the same for unknown keys
            raise refused(403, "invalid authorization signature", code="invalid_signature")
        if document.get("key", key.id) != key.id:
            raise refused(403, "The key of the body is not the one that signed.", code="invalid_signature", param="key")
        resources = document.get("resources") or []
        if not isinstance(resources, list):
            raise wrong_type("resources", resources, (list,))
        if any(resource not in (f"workspaces/{WORKSPACE}", f"workspaces/{key.id}") for resource in resources):
            message = "This key belongs to another workspace than the one asked for."
            raise refused(403, message, code="insufficient_permissions", param="resources")
        token, ends_s = authenticator.tokens.issue(key.id, workspace=WORKSPACE)
        session = f"{WORKSPACE}:{uuid.uuid4()}"
        return {"token": token, "type": "Bearer", "expirationTime": iso(ends_s), "sessionId": session}
