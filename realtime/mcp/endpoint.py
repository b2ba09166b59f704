"""Where a tool server (MCP) is reached: its address judged, its requests written, its answer read with bounds.

The transport is the router's own, so that what holds for providers holds here: every address passes the egress guard
before a socket is made, redirects are answers and never followed, heads and bodies are bounded, each wait has an end.
The official package `mcp` brings an HTTP client of its own that asks none of this, and fifteen packages with it.
"""

import ssl
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson

from policies import Timeouts
from realtime.protocol import ToolServer
from router.sse import EventReader, EventTooLong
from router.upstreams.base import Reply, UpstreamFault
from router.upstreams.http1 import Address, Origin
from router.upstreams.openai_http import USER_AGENT, checked_headers, checked_key
from router.upstreams.pool import Pool

MAX_ANSWER_BYTES = 1024 * 1024
CONNECT_S = 5.0
_OURS = ("accept", "user-agent", "authorization", "mcp-session-id", "mcp-protocol-version")
SESSION = "mcp-session-id"


class ToolServerFault(Exception):  # noqa: N818  a fault of the server, our word for it
    """A request came to nothing. `error` says so as the wire has it."""

    def __init__(self, kind: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.error: Mapping[str, Any] = {"type": kind, "message": message} | ({} if code is None else {"code": code})


def address_of(url: str) -> tuple[Address, str]:
    """A server's address and what is asked for there. Raises ValueError, which shows nothing of a query."""
    plain, question, query = url.partition("?")
    try:
        address = Address.parse(plain)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("base_url: ")) from error
    target = (urlpath(plain) or "/") + question + query
    if not target.isascii() or not target.isprintable() or " " in target or "#" in target:
        raise ValueError("write it in plain ASCII, without spaces and without a fragment")
    return address, target


def urlpath(url: str) -> str:
    """The path of a URL without query, exactly as it is written: some servers tell `/mcp` and `/mcp/` apart."""
    _, _, rest = url.partition("://")
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else ""


def reachable(url: str, hosts: tuple[str, ...]) -> str | None:
    """Why a server may not be named, or None. `hosts`: patterns of the hosts that may."""
    try:
        host = address_of(url)[0].host
    except ValueError as error:
        return str(error)
    if any(fnmatchcase(host.lower(), pattern.lower()) for pattern in hosts):
        return None
    return f"the host {host!r} is not among realtime.mcp.hosts of this server's configuration"


class Endpoint:
    """One tool server: JSON-RPC messages out, JSON-RPC messages in."""

    def __init__(self, server: ToolServer, *, allow_private: bool, tls: ssl.SSLContext | None = None) -> None:
        """Raises ToolServerFault when the URL or a header cannot be used."""
        try:
            address, target = address_of(server.url)
            own = checked_headers(server.headers)
            key = checked_key(server.authorization)
        except ValueError as error:
            raise ToolServerFault("http_error", str(error), 400) from error
        bearer = f"Bearer {key}" if key else own.get("authorization")
        lines = [
            f"POST {target} HTTP/1.1",
            f"host: {address.authority}",
            f"user-agent: {USER_AGENT}",
            "accept: application/json, text/event-stream",
            "accept-encoding: identity",
            "content-type: application/json",
            *(f"{name}: {value}" for name, value in own.items() if name not in _OURS),
            *([f"authorization: {bearer}"] if bearer else []),
        ]
        self._head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        self.host = address.authority
        self._origin = Origin(address, allow_private=allow_private, pool=Pool(max_inflight=16), ssl_context=tls)
        self.session_id = ""
        self.version = ""

    def close(self) -> None:
        """Close idle connections."""
        self._origin.close()

    async def tell(self, message: Mapping[str, Any], limit_s: float) -> None:
        """Send a notification. Raises ToolServerFault."""
        reply = await self._send(message, limit_s)
        reply.close()

    async def ask(self, message: Mapping[str, Any], limit_s: float) -> Mapping[str, Any]:
        """Send a request; the message that answers it. Raises ToolServerFault."""
        reply = await self._send(message, limit_s)
        try:
            self.session_id = reply.headers.get(SESSION, self.session_id)
            kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream":
                return await _streamed(reply, message["id"])
            if kind != "application/json":
                raise ToolServerFault("http_error", f"the tool server answered with {kind[:80] or 'nothing'!r}", 502)
            return _answer(await reply.body(MAX_ANSWER_BYTES), message["id"])
        except UpstreamFault as fault:
            raise unreachable(fault) from fault
        finally:
            reply.close()

    async def _send(self, message: Mapping[str, Any], limit_s: float) -> Reply:
        body = orjson.dumps(message)
        told = {SESSION: self.session_id, "mcp-protocol-version": self.version}
        more = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
        request = self._head + f"{more}content-length: {len(body)}\r\n\r\n".encode("ascii") + body
        limits = Timeouts(connect_s=CONNECT_S, first_token_s=limit_s, idle_s=limit_s, total_s=limit_s)
        try:
            reply = await self._origin.send(request, limits)
        except UpstreamFault as fault:
            raise unreachable(fault) from fault
        if not 200 <= reply.status < 300:
            reply.close()
            raise ToolServerFault("http_error", f"the tool server answered {reply.status}", reply.status)
        return reply


def unreachable(fault: UpstreamFault) -> ToolServerFault:
    """A fault below HTTP, in the words of tool servers."""
    code = 504 if "timeout" in fault.outcome.value else 502
    return ToolServerFault("http_error", fault.message, code)


async def _streamed(reply: Reply, request_id: object) -> Mapping[str, Any]:
    """The answer out of a stream of events; whatever else a server says there is passed over."""
    reader, size = EventReader(), 0
    while piece := await reply.read():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            break
        try:
            events = reader.feed(piece)
        except EventTooLong:
            break
        for event in events:
            found = _find(event, request_id)
            if found is not None:
                return found
    reason = "ended without an answer" if size <= MAX_ANSWER_BYTES else f"is longer than {MAX_ANSWER_BYTES} bytes"
    raise ToolServerFault("http_error", f"the tool server's stream {reason}", 502)


def _answer(body: bytes, request_id: object) -> Mapping[str, Any]:
    found = _find(body, request_id)
    if found is None:
        raise ToolServerFault("http_error", "the tool server's answer is not JSON-RPC", 502)
    return found


def _find(text: bytes, request_id: object) -> Mapping[str, Any] | None:
    """The message that answers a request, alone or in a batch."""
    try:
        wire = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    messages = wire if isinstance(wire, list) else [wire]
    return next(
        (one for one in messages if isinstance(one, dict) and one.get("id") == request_id and "method" not in one), None
    )
