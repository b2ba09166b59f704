"""uvicorn in our own harness: hardened protocols, a drain that keeps calls alive, reload, workers.

SIGTERM: say so (`/readyz` turns 503), wait for the load balancer, close the listeners, let what runs finish or reach
its deadline, leave with 0. A second SIGTERM means now. SIGHUP reloads.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Generator, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from .http_protocol import HardenedProtocol, WireLimits, hardened
from .ws_protocol import CappedWebSocket

_BACKLOG = 2048
_USER_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Drain:
    """How a server ends, in seconds from SIGTERM (`delay_s`) and from the closing of the listeners (the others)."""

    delay_s: float = 5.0
    requests_s: float = 30.0
    sockets_s: float = 120.0


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the server tells its owner. Called on the event loop; must not block."""

    on_ready: Callable[[int], None] = lambda _port: None  # the port that is listened on
    on_drain: Callable[[], None] = _nothing  # SIGTERM has come: not ready any more
    on_reload: Callable[[], None] = _nothing  # SIGHUP has come


@dataclass(frozen=True, slots=True)
class Binding:
    """Where to listen, and with which certificate."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything but the application."""

    binding: Binding = Binding()
    drain: Drain = Drain()
    hooks: Hooks = Hooks()
    limits: WireLimits = field(default_factory=lambda: WireLimits(connections=connection_limit()))
    ws_message_bytes: int = 16 * 1024 * 1024
    ws_ping_s: float = 20.0


def connection_limit() -> int:
    """Half of the file descriptors this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 500_000 if soft == resource.RLIM_INFINITY else max(16, soft // 2)


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
            try:
                await self._app(scope, receive, _closing(send) if self.draining else send)
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


class DrainingServer(uvicorn.Server):
    """A uvicorn server that ends in the order of this module's rule."""

    def __init__(self, config: uvicorn.Config, in_flight: InFlight, settings: Settings) -> None:
        super().__init__(config)
        self._in_flight = in_flight
        self._drain_limits = settings.drain
        self._hooks = settings.hooks
        self._parent = os.getppid()
        self._ending = asyncio.Event()
        self._now = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn's handlers would close WebSockets at once and re-raise the signal; ours are on the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then take signals and tell the owner."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ValueError, RuntimeError):  # outside the main thread there are no signals
            loop.add_signal_handler(signal.SIGTERM, self.end)
            loop.add_signal_handler(signal.SIGINT, self.end, False)
            loop.add_signal_handler(signal.SIGHUP, self._hooks.on_reload)
        self._hooks.on_ready(self.servers[0].sockets[0].getsockname()[1])

    def end(self, delay: bool = True) -> None:  # noqa: FBT001, FBT002  a signal handler's argument
        """Begin to drain; the second call means now."""
        if self._ending.is_set():
            self.force_exit = True
            self._now.set()
            return
        if not delay:
            self._drain_limits = replace(self._drain_limits, delay_s=0.0)
        self._ending.set()

    async def main_loop(self) -> None:
        """Tick until the drain is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(super().main_loop())
            await self._ending.wait()
            if not self.should_exit:
                await self._drain()
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Also notice that the supervisor is gone, or that somebody set `should_exit`."""
        ends = await super().on_tick(counter)
        if ends or (counter % 10 == 0 and os.getppid() != self._parent):
            self._ending.set()
        return ends

    async def _drain(self) -> None:
        in_flight, limits = self._in_flight, self._drain_limits
        in_flight.draining = True
        self._hooks.on_drain()
        if limits.delay_s > 0:
            await _within(self._now, limits.delay_s)
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, HardenedProtocol):
                connection.shutdown()  # closes what idles; what runs says `connection: close`
        loop = asyncio.get_running_loop()
        closed_s = loop.time()
        while (in_flight.requests or in_flight.sockets) and not self.force_exit:
            limit_s = limits.sockets_s if in_flight.sockets else limits.requests_s
            left_s = closed_s + limit_s - loop.time()
            if left_s <= 0:
                return
            in_flight.changed.clear()
            await _within(in_flight.changed, min(left_s, 0.25))


async def _within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def listeners(binding: Binding) -> list[socket.socket]:
    """Bound sockets, one per address of the host. Raises OSError that names the address."""
    found = socket.getaddrinfo(binding.host or None, binding.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    port = binding.port
    for family, address in {(info[0], info[4][:2]): None for info in found}:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            _prepare(sock, share=binding.workers > 1)
            sock.bind((address[0], port))
        except OSError as error:
            sock.close()
            if bound and error.errno is not None and family is not bound[0].family:
                continue  # localhost with one family switched off
            raise OSError(error.errno, f"cannot listen on {address[0]}:{port}: {error.strerror}") from error
        port = sock.getsockname()[1]
        bound.append(sock)
    return bound


def _prepare(sock: socket.socket, *, share: bool) -> None:
    """Options that accepted connections inherit: dead peers are noticed within a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)


def make_server(app: ASGI3Application, settings: Settings) -> DrainingServer:
    """A server ready to run on a list of bound sockets."""
    in_flight = InFlight(app)
    binding = settings.binding
    config = uvicorn.Config(
        in_flight,
        http=hardened(settings.limits),
        ws=CappedWebSocket,
        ws_max_size=settings.ws_message_bytes,
        ws_ping_interval=settings.ws_ping_s,
        ws_ping_timeout=settings.ws_ping_s,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        workers=1,
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.key,
    )
    return DrainingServer(config, in_flight, settings)


def serve(app: ASGI3Application, settings: Settings = Settings()) -> int:
    """Serve until a signal says stop; returns the exit code. Raises OSError when the address cannot be had.

    With several workers the application is forked: it must open nothing before its lifespan starts.
    """
    if settings.binding.workers > 1:
        from .workers import supervise  # noqa: PLC0415  few need it

        return supervise(lambda binding: _run(app, replace(settings, binding=binding)), settings.binding)
    return _run(app, settings)


def _run(app: ASGI3Application, settings: Settings) -> int:
    sockets = listeners(settings.binding)
    server = make_server(app, settings)
    server.run(sockets)
    return 0 if server.started else 3
