"""The scripts over a real socket: a small HTTP/1.1 server for tests, benchmarks and demonstrations.

Rules: the head and the first bytes of the body leave in one segment (two would meet the peer's delayed ACK and look
like 40 ms of gateway latency), TCP_NODELAY is set, and the journal knows at once when a client has gone.
`GET /log` shows the journal, `DELETE /log` clears it, `GET /v1/models` lists the faults.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, cast

import httptools
import orjson

from .asking import Incoming, take
from .faults import FAULTS
from .journal import Journal, Seen
from .script import End, Script

_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


class ScriptedServer:
    """`async with ScriptedServer() as server:` listens on `server.port`; `server.journal` is what it saw."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        gap_s: float = 0.0,
        time_scale: float = 1.0,
        keep_bodies: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.gap_s = gap_s
        self.time_scale = time_scale
        self.journal = Journal(keep_bodies=keep_bodies)
        self.connections: set[Connection] = set()
        self.group = asyncio.TaskGroup()
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        """What a provider's `base_url` is set to."""
        return f"http://{self.host}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.group.__aenter__()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drop()
        await self.group.__aexit__(kind, error, trace)


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are played one after the other."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._playing: asyncio.Task[None] | None = None
        self._waiting: list[tuple[str, Incoming]] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has its own kind
        self._server.connections.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._playing is not None:
            self._playing.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.drop()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_url(self, url: bytes) -> None:
        """Part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: play it, or queue it behind the one that plays."""
        method = self._parser.get_method().decode()
        path = self._url.decode("latin-1").partition("?")[0]
        self._waiting.append((method, Incoming(path, b"".join(self._body), self._headers)))
        self._begin()
        if self._playing is None:
            self._playing = self._server.group.create_task(self._play_all())

    def drop(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def _play_all(self) -> None:
        while self._waiting:
            method, incoming = self._waiting.pop(0)
            if method == "POST":
                await self._play(incoming)
            else:
                await self._control(method, incoming.path)
        self._playing = None

    async def _control(self, method: str, path: str) -> None:
        journal = self._server.journal
        if path == "/log":
            shown: object = [seen.as_json() for seen in journal.seen]
            if method == "DELETE":
                journal.clear()
        elif path.endswith("/models"):
            shown = {
                "object": "list",
                "data": [{"id": name, "object": "model", "about": f.about} for name, f in FAULTS.items()],
            }
        else:
            shown = {"ok": True}
        body = orjson.dumps(shown)
        await self._write(_head(200, {"content-type": "application/json", "content-length": str(len(body))}) + body)

    async def _play(self, incoming: Incoming) -> None:
        server = self._server
        seen, script, _ = take(incoming, server.journal, now=time.time(), gap_s=server.gap_s)
        try:
            await self._perform(script, seen)
        except asyncio.CancelledError:
            seen.client_gone = True
            raise
        finally:
            seen.ended = time.time()

    async def _perform(self, script: Script, seen: Seen) -> None:
        await self._pause(script.head_s)
        if script.status is not None:
            await self._send(script, seen)
        match script.end:
            case End.CLEAN:
                pass
            case End.HANG:
                await asyncio.Event().wait()
            case End.RESET:
                self._reset()
            case End.CUT | End.STALE:
                assert self._transport is not None  # noqa: S101  a connection that plays has one
                self._playing = None
                self._transport.close()

    async def _send(self, script: Script, seen: Seen) -> None:
        whole = script.end in {End.CLEAN, End.STALE}
        chunked = any(value.startswith("text/event-stream") for _, value in script.headers)
        length = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(_length(script, whole=whole))}
        pending = _head(script.status or 200, {**dict(script.headers), **length})
        for step in script.steps:
            if isinstance(step, bytes):
                pending += b"%x\r\n%b\r\n" % (len(step), step) if chunked else step
                if len(pending) > 65_536:
                    await self._write(pending)
                    pending = b""
            elif step > 0:
                await self._write(pending)
                pending = b""
                await self._pause(step)
        if whole:
            seen.completed = True
        await self._write(pending + (b"0\r\n\r\n" if whole and chunked else b""))

    async def _pause(self, pause_s: float) -> None:
        if pause_s > 0:
            await asyncio.sleep(pause_s * self._server.time_scale)

    async def _write(self, content: bytes) -> None:
        assert self._transport is not None  # noqa: S101  a connection that plays has one
        if content:
            self._transport.write(content)
        await self._writable.wait()

    def _reset(self) -> None:
        assert self._transport is not None  # noqa: S101  a connection that plays has one
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._playing = None
        self._transport.abort()


def _length(script: Script, *, whole: bool) -> int:
    return len(script.content) + (0 if whole else 1000)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Scripted')}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
