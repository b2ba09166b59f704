"""The front door: one ASGI callable, the hot paths first, FastAPI for the rest.

A table of exact paths is looked up before anything else; what it does not know goes to prefixes, then to the control
plane. Unknown paths are 404 and wrong methods 405 with `Allow`, all in OpenAI's envelope. Every refusal and every
defect of our own is answered here, once.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from router.refusal import Refusal

from .exchange import CORS, Exchange, Message, Receive, Scope, Send
from .faults import ClientGone, internal, refused

log = logging.getLogger("router.proxy")

Endpoint = Callable[[Exchange], Awaitable[None]]
Note = Callable[[Exchange, Refusal], None]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
MAX_AGE_S = 86_400
CONTROL_BODY_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Table:
    """Endpoints by path and method. A prefix ends in a slash; the longest one that fits wins."""

    exact: dict[str, dict[str, Endpoint]] = field(default_factory=dict)
    prefixes: dict[str, dict[str, Endpoint]] = field(default_factory=dict)

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Serve this path (or everything below it, when it ends in a slash)."""
        book = self.prefixes if path.endswith("/") and path != "/" else self.exact
        book.setdefault(path, {})[method] = endpoint

    def methods(self, path: str) -> Mapping[str, Endpoint] | None:
        """What is served at a path, by method; None when nothing is."""
        found = self.exact.get(path)
        if found is not None:
            return found
        fitting = [prefix for prefix in self.prefixes if path.startswith(prefix) and len(path) > len(prefix)]
        return self.prefixes[max(fitting, key=len)] if fitting else None


class Lifespan(Protocol):
    """What starts and stops with the server."""

    async def startup(self) -> None:
        """Before the first request."""
        ...

    async def shutdown(self) -> None:
        """After the last one."""
        ...


class Front:
    """The ASGI application."""

    def __init__(
        self,
        table: Table,
        *,
        control: Callable[[], AsgiApp],
        controlled: tuple[str, ...],
        voice: AsgiApp | None = None,
        lifespan: Lifespan | None = None,
        note: Note = lambda _exchange, _refusal: None,
    ) -> None:
        self._table = table
        self._control = control
        self._controlled = controlled
        self._voice = voice
        self._lifespan = lifespan
        self._note = note
        self._plane: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one HTTP exchange, one WebSocket, or the lifespan."""
        if scope["type"] == "http":
            await self._http(Exchange(scope, receive, send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._live(receive, send)

    async def _http(self, exchange: Exchange) -> None:
        try:
            methods = self._table.exact.get(exchange.path)
            endpoint = None if methods is None else methods.get(exchange.method)
            await (self._dispatch(exchange) if endpoint is None else endpoint(exchange))
        except Refusal as refusal:
            self._note(exchange, refusal)
            if not exchange.committed:
                await exchange.refuse(refusal)
        except ClientGone:
            log.debug("client gone", extra={"request_id": exchange.request_id})
        except Exception:
            log.exception("defect while serving", extra={"request_id": exchange.request_id})
            self._note(exchange, refused(500, "defect", code="internal_error"))
            if exchange.committed:
                raise
            await exchange.refuse(internal(exchange.request_id))

    async def _dispatch(self, exchange: Exchange) -> None:
        methods = self._table.methods(exchange.path)
        if methods is None:
            if exchange.method == "OPTIONS" and b"access-control-request-method" in exchange.headers:
                await preflight(exchange, ("GET", "POST", "PATCH", "DELETE"))
                return
            if exchange.path.startswith(self._controlled):
                await self._to_control(exchange)
                return
            message = (
                f"Unknown path {exchange.path[:200]!r}. The API is below /v1, for example POST /v1/chat/completions."
            )
            raise refused(404, message, code="unknown_url")
        endpoint = methods.get(exchange.method) or (methods.get("GET") if exchange.method == "HEAD" else None)
        if endpoint is not None:
            await endpoint(exchange)
        elif exchange.method == "OPTIONS":
            await preflight(exchange, tuple(methods))
        else:
            allowed = allow(methods)
            message = f"{exchange.method} is not served at {exchange.path[:200]!r}; use {allowed}."
            raise refused(405, message, code="method_not_allowed", headers={"allow": allowed})

    async def _to_control(self, exchange: Exchange) -> None:
        if self._plane is None:
            self._plane = self._control()
        body = await exchange.body(CONTROL_BODY_BYTES)
        scope, receive, send = exchange.handed_over(body)
        if exchange.method == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        await self._plane(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._voice is not None:
            await self._voice(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "voice is not served here"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._lifespan is not None:
                    await self._lifespan.startup()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._lifespan is not None:
                    await self._lifespan.shutdown()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _without_body(send: Send) -> Send:
    """HEAD is answered as GET without its body."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only


def allow(methods: Mapping[str, Endpoint]) -> str:
    """The `Allow` header of a path."""
    return ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}))


async def preflight(exchange: Exchange, methods: tuple[str, ...]) -> None:
    """Answer OPTIONS: any origin may call with an API key; there are no cookies, hence no credentials."""
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))
    wanted = exchange.headers.get(b"access-control-request-headers", b"")
    if not wanted or len(wanted) > 4096 or any(byte < 32 or byte > 126 for byte in wanted):
        wanted = b"authorization, content-type, x-api-key, x-request-id, x-rr-variant, idempotency-key"
    headers = [
        (b"allow", allowed.encode()),
        (b"access-control-allow-methods", allowed.encode()),
        (b"access-control-allow-headers", wanted),
        (b"access-control-max-age", str(MAX_AGE_S).encode()),
        (b"vary", b"access-control-request-headers"),
    ]
    if b"origin" not in exchange.headers:
        headers += CORS
    await exchange.begin(204, headers)
    await exchange.write(b"", more=False)
