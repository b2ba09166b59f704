"""Puts the proxy together: `create_app(router, …)` gives one ASGI callable.

Whoever serves it (the voice floor, a test, a program of its own) hands in what the proxy does not own: keys, metrics,
records, the list of models, the shelf of saved routers, and the callable that takes WebSockets.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from router.config import Auth
from router.observers import TurnedAway
from router.router import Router
from router.turnstile import Refusals

from . import messages, responses
from .auth import Authenticator, Key
from .chat import Chat
from .feedback import FeedbackDesk
from .front import AsgiApp, Endpoint, Front, Lifespan, Table
from .limits import Allowance, Limiter, LocalLimiter, allowed
from .models import Listed, Models, listing_of
from .ops import Gauges, Ops
from .passage import FORM_PATHS, JSON_PATHS, Passage
from .playground import add_playground
from .routers import Shelf
from .secrets import SecretStore
from .sessions import Effective, as_asked
from .site import MEBIBYTE, Site
from .tokens import Tokens

CONTROLLED = (
    "/router/v1/",
    "/lro/v1alpha/",
    "/auth/v1/",
    "/v1/sessionTokens/",
    "/docs",
    "/openapi.json",
    "/v1/realtime/",
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call. An empty JWT secret means a fresh one at each start."""

    keys: Sequence[Key] = ()
    jwt_secret: bytes = field(default=b"", repr=False)
    jwt_ttl_s: int = 3600
    origins: tuple[str, ...] | None = None  # pages that may call; None: see `Authenticator.admit_page`


def access_of(auth: Auth) -> Access:
    """The configuration's `auth` as the door reads it."""
    keys = tuple(
        Key(
            key.id,
            key.secret.get_secret_value(),
            routers=key.routers,
            write=key.write,
            allowance=allowed(Allowance(key.rpm, key.tpm, key.concurrent, key.budget_usd_per_day)),
            concurrent_sessions=key.concurrent_sessions,
            packets_per_second=key.packets_per_second,
        )
        for key in auth.keys
    )
    return Access(keys, auth.jwt.secret.get_secret_value().encode(), int(auth.jwt.ttl_s), auth.origins)


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of the door itself."""

    body_bytes: int = 32 * MEBIBYTE
    ping_s: float = 15.0


@dataclass(slots=True)
class App:
    """The proxy, put together: `asgi` to serve, `site` to change on a reload."""

    asgi: AsgiApp
    site: Site

    def refusals(self) -> Refusals:
        """What a server may refuse under overload before it is understood: calls of models, nothing else."""
        chats = ("/chat/completions", "/responses", "/messages")
        paths = {root + path for root in ("/v1", "") for path in (*chats, *JSON_PATHS)}
        return Refusals({path.encode() for path in paths}, self._turned_away, self.site.shedding)

    def _turned_away(self, count: int) -> None:
        """Tell the observers of calls that were refused before they were understood."""
        refused = TurnedAway(503, "router_overloaded", "POST", "", count=count)
        for observer in self.site.router.observers:
            observer.on_turned_away(refused)

    def replace_access(self, access: Access) -> None:
        """Take over new keys; client secrets and session tokens stay good while their key does."""
        before = self.site.authenticator
        fresh = authenticator_of(access, self.site.wall, before.secrets)
        if not access.jwt_secret:  # the secret of this start goes on
            fresh.tokens = before.tokens
        self.site.authenticator = fresh


def create_app(
    router: Router,
    *,
    access: Access = Access(),
    caps: Caps = Caps(),
    gauges: Gauges | None = None,
    listed: Listed | None = None,
    shelf: Shelf | None = None,
    limiter: Limiter | None = None,
    endpoints: Sequence[tuple[str, str, Endpoint]] = (),
    effective_session: Effective = as_asked,
    voice: AsgiApp | None = None,
    lifespan: Lifespan | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> App:
    """One ASGI callable in front of a router.

    `voice` gets every WebSocket scope; `endpoints` are further (method, path, endpoint), winning over our own;
    `effective_session` fills in what a client secret's session leaves open.
    """
    site = Site(
        router=router,
        authenticator=authenticator_of(access, wall, SecretStore(wall)),
        limiter=limiter or LocalLimiter(clock, wall),
        clock=clock,
        wall=wall,
        body_limit_bytes=caps.body_bytes,
        ping_s=caps.ping_s,
        started_wall_s=wall(),
    )
    table = table_of(site, gauges or Gauges(), listed or partial(listing_of, router))
    for method, path, endpoint in endpoints:
        table.add(method, path, endpoint)

    def control() -> AsgiApp:
        from .control import create_control  # noqa: PLC0415  FastAPI is loaded when it is first needed

        return create_control(site, shelf, effective_session)

    front = Front(table, control=control, controlled=CONTROLLED, voice=voice, lifespan=lifespan, note=site.note)
    return App(front, site)


def table_of(site: Site, gauges: Gauges, listed: Listed) -> Table:
    """The hot paths."""
    table = Table()
    chat, ops, models = Chat(site), Ops(site, gauges), Models(site, listed)
    for root in ("/v1", ""):
        table.add("POST", f"{root}/chat/completions", chat)
        table.add("POST", f"{root}/responses", responses.answering(site))
        table.add("POST", f"{root}/responses/input_tokens", responses.counting(site))
        table.add("POST", f"{root}/messages", messages.answering(site))
        table.add("POST", f"{root}/messages/count_tokens", messages.counting(site))
        table.add("GET", f"{root}/models", models.every)
        table.add("GET", f"{root}/models/", models.one)
        for path in JSON_PATHS + FORM_PATHS:
            table.add("POST", root + path, Passage(site, path))
    for method in ("GET", "POST", "DELETE"):
        table.add(method, "/v1/responses/", responses.Stored(site))
    table.add("GET", "/llm/v1alpha/models", models.catalogue)
    table.add("GET", "/livez", ops.livez)
    for path in ("/readyz", "/healthz", "/health"):
        table.add("GET", path, ops.readyz)
    table.add("GET", "/version", ops.version)
    table.add("GET", "/metrics", ops.metrics)
    table.add("POST", "/v1/router/explain", ops.explain)
    table.add("POST", "/v1/router/feedback", FeedbackDesk(site, gauges.outcomes))
    table.add("GET", "/v1/router/requests", ops.recent)
    table.add("GET", "/v1/router/requests/", ops.one)
    add_playground(table)
    return table


def authenticator_of(access: Access, wall: Callable[[], float], secrets: SecretStore) -> Authenticator:
    """The authenticator of one configuration. Raises ValueError for a JWT secret that is too short."""
    tokens = Tokens(access.jwt_secret or os.urandom(32), ttl_s=access.jwt_ttl_s, wall=wall)
    return Authenticator(access.keys, tokens=tokens, secrets=secrets, origins=access.origins)
