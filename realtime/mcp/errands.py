"""The tool servers (MCP) of one session: asks them what the machine wants to know, and reports it, once, in time."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from realtime import protocol as p

from .client import Client
from .endpoint import Endpoint, ToolServerFault

log = logging.getLogger("realtime.mcp")
LIST_S = 10.0  # for greeting and listing together: a reply may be waiting
MOST_SERVERS = 64
Found = TypeVar("Found")


class Tls:
    """The certificates of this machine, read once, off the loop."""

    def __init__(self) -> None:
        self._context: asyncio.Future[ssl.SSLContext] | None = None

    async def context(self) -> ssl.SSLContext:
        """For every connection to a tool server."""
        if self._context is None:
            self._context = asyncio.get_running_loop().run_in_executor(None, ssl.create_default_context)
        return await asyncio.shield(self._context)


class McpErrands:
    """The clients of one session, one for each server as it was defined."""

    def __init__(self, tls: Tls, *, allow_private: bool, limit_s: float, session_id: str) -> None:
        self._tls = tls
        self._allow_private = allow_private
        self._limit_s = limit_s
        self._session_id = session_id
        self._clients: list[tuple[p.ToolServer, Client]] = []

    async def list(self, effect: p.ListTools) -> p.ToolsListed:
        """The tools of a server, or why they are not known."""
        try:
            tools = await self._within(LIST_S, "list", effect.server, lambda client: client.tools())
        except ToolServerFault as fault:
            return p.ToolsListed(item_id=effect.item_id, reason=fault.message)
        return p.ToolsListed(item_id=effect.item_id, tools=tools)

    async def call(self, effect: p.CallTool) -> p.ToolAnswered:
        """What a tool answers, or the error that stands for it."""
        try:
            output = await self._within(
                self._limit_s, "call", effect.server, lambda client: client.call(effect.name, effect.arguments)
            )
        except ToolServerFault as fault:
            return p.ToolAnswered(item_id=effect.item_id, error=fault.error)
        return p.ToolAnswered(item_id=effect.item_id, output=output)

    async def _within(
        self, limit_s: float, errand: str, server: p.ToolServer, ask: Callable[[Client], Awaitable[Found]]
    ) -> Found:
        began_s, outcome, host = time.monotonic(), "success", ""
        try:
            async with asyncio.timeout(limit_s):
                client = await self._client(server)
                host = client.endpoint.host
                return await ask(client)
        except TimeoutError:
            outcome = "timeout"
            raise ToolServerFault("http_error", f"the tool server did not answer within {limit_s:g} s", 504) from None
        except ToolServerFault as fault:
            outcome = fault.error["type"]
            raise
        finally:
            fields = {"session_id": self._session_id, "host": host, "errand": errand, "outcome": outcome}
            fields["duration_ms"] = str(round((time.monotonic() - began_s) * 1000))
            log.info("tool server", extra={"fields": fields})

    async def _client(self, server: p.ToolServer) -> Client:
        found = next((client for known, client in self._clients if known == server), None)
        if found is None:
            tls = await self._tls.context() if server.url.startswith("https") else None
            endpoint = Endpoint(server, allow_private=self._allow_private, tls=tls)
            found = Client(endpoint, limit_s=self._limit_s)
            self._clients.append((server, found))
            if len(self._clients) > MOST_SERVERS:
                self._clients.pop(0)[1].endpoint.close()
        return found

    def close(self) -> None:
        """The session is over."""
        for _, client in self._clients:
            client.endpoint.close()
        self._clients.clear()
