"""How many requests and WebSockets are under way: what a drain waits for."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from .cycle import CYCLE


class InFlight:
    """An ASGI application that counts what runs inside it."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self.requests = 0
        self.sockets = 0
        self.draining = False
        self.changed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            self.requests += 1
            if self.draining:
                send = _closing(send)
                cast("MutableMapping[str, Any]", scope).pop(CYCLE, None)  # its answers go through `send`
            try:
                await self._app(scope, receive, send)
            finally:
                self.requests -= 1
                if self.draining:
                    self.changed.set()
        elif scope["type"] == "websocket":
            self.sockets += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self.sockets -= 1
                if self.draining:
                    self.changed.set()
        else:
            await self._app(scope, receive, send)


def _closing(send: ASGISendCallable) -> ASGISendCallable:
    async def with_close(event: ASGISendEvent) -> None:
        if event["type"] == "http.response.start":
            message = cast("MutableMapping[str, Any]", event)
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(event)

    return with_close
