"""What MCP says on top of HTTP: a session is opened once, tools are listed page by page, a call gives a text.

Protocol: Model Context Protocol, streamable HTTP, revisions 2025-03-26 to 2025-11-25. A server that forgot the session
(404) is greeted anew, once.
"""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import orjson

from realtime.protocol import ServerTool

from .endpoint import Endpoint, ToolServerFault

REVISION = "2025-06-18"
KNOWN_REVISIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
MOST_PAGES, MOST_TOOLS = 32, 512
MOST_CHARACTERS = 128 * 1024  # of one output: it stays in the conversation
NOT_FOUND = 404
INVALID_PARAMS = -32602


class Client:
    """A session with one tool server. May be used by several tasks at once."""

    def __init__(self, endpoint: Endpoint, *, limit_s: float) -> None:
        self.endpoint = endpoint
        self._limit_s = limit_s
        self._ids = itertools.count(1)
        self._greeting = asyncio.Lock()
        self._greeted = False

    async def tools(self) -> tuple[ServerTool, ...]:
        """Every tool of the server. Raises ToolServerFault."""
        found: list[ServerTool] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            result = await self._request("tools/list", {} if cursor is None else {"cursor": cursor})
            found += (_tool(wire) for wire in _list(result.get("tools")))
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                return tuple(found)
            if len(found) > MOST_TOOLS:
                break
        raise ToolServerFault("protocol_error", f"the tool server lists more than {MOST_TOOLS} tools", INVALID_PARAMS)

    async def call(self, name: str, arguments: str) -> str:
        """What a tool says to these arguments (JSON text). Raises ToolServerFault."""
        try:
            given = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            given = None
        if not isinstance(given, dict):
            raise ToolServerFault("protocol_error", "the arguments are not a JSON object", INVALID_PARAMS)
        result = await self._request("tools/call", {"name": name, "arguments": given})
        text = _text(result)
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]}\n[cut off: {len(text)} characters]"
        if result.get("isError"):
            raise ToolServerFault("tool_execution_error", text or "the tool failed")
        return text

    async def _request(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        for last in (False, True):
            await self._greet()
            try:
                return await self._ask(method, params)
            except ToolServerFault as fault:
                if last or fault.code != NOT_FOUND or not self.endpoint.session_id:
                    raise
                self._greeted, self.endpoint.session_id, self.endpoint.version = False, "", ""
        raise AssertionError  # the loop returns or raises

    async def _greet(self) -> None:
        async with self._greeting:
            if self._greeted:
                return
            about = {"name": "realtime-router", "version": "1"}
            asked = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": about}
            revision = (await self._ask("initialize", asked)).get("protocolVersion")
            if revision not in KNOWN_REVISIONS:
                message = f"the tool server speaks an unknown revision of MCP: {str(revision)[:40]!r}"
                raise ToolServerFault("protocol_error", message, INVALID_PARAMS)
            self.endpoint.version = revision
            initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await self.endpoint.tell(initialized, self._limit_s)
            self._greeted = True

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = await self.endpoint.ask(message, self._limit_s)
        error = answer.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            told = str(error.get("message") or "the tool server refused")[:2000]
            raise ToolServerFault("protocol_error", told, code if isinstance(code, int) else INVALID_PARAMS)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise ToolServerFault("protocol_error", "the tool server's answer has no result", INVALID_PARAMS)
        return result


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict) and one.get("name")] if isinstance(value, list) else []


def _tool(wire: Mapping[str, Any]) -> ServerTool:
    schema, annotations, description = wire.get("inputSchema"), wire.get("annotations"), wire.get("description")
    return ServerTool(
        name=str(wire["name"])[:256],
        input_schema=schema if isinstance(schema, dict) else {"type": "object"},
        description=description if isinstance(description, str) else None,
        annotations=annotations if isinstance(annotations, dict) else None,
    )


def _text(result: Mapping[str, Any]) -> str:
    """What a model is told of a result: its texts; of anything else its JSON, without the bytes of media."""
    parts = result.get("content")
    told: list[str] = []
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            told.append(part["text"])
        elif isinstance(part, dict):
            told.append(
                orjson.dumps({name: one for name, one in part.items() if name not in ("data", "blob")}).decode()
            )
    if not told and "structuredContent" in result:
        return orjson.dumps(result["structuredContent"]).decode()
    return "\n".join(told)
