"""uvicorn in our own harness: hardened protocols, a drain that keeps calls alive, reload, workers.

SIGTERM: say so (`/readyz` turns 503), wait for the load balancer, close the listeners, let what runs finish or reach
its deadline, leave with 0. A second SIGTERM means now. SIGHUP reloads. More connections than there is time for are
refused at the door.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import uvicorn
from uvicorn._types import ASGI3Application

from .http_protocol import HardenedProtocol, hardened
from .inflight import InFlight
from .listening import Binding, connection_limit, listeners
from .turnstile import Refusals, Turnstile
from .wire_limits import WireLimits
from .workers import Birth, supervise
from .ws_protocol import CappedWebSocket

__all__ = ["Binding", "Drain", "DrainingServer", "Hooks", "Settings", "WireLimits", "make_server", "serve"]

_BACKLOG = 2048


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
class Settings:
    """Everything but the application."""

    binding: Binding = field(default_factory=Binding)
    drain: Drain = Drain()
    hooks: Hooks = Hooks()
    limits: WireLimits = field(default_factory=lambda: WireLimits(connections=connection_limit()))
    ws_message_bytes: int = 24 * 1024 * 1024  # 15 MiB of audio as base64 in JSON
    ws_ping_s: float = 20.0
    refusals: Refusals = field(default_factory=Refusals)


class DrainingServer(uvicorn.Server):
    """A uvicorn server that ends in the order of this module's rule."""

    def __init__(self, config: uvicorn.Config, in_flight: InFlight, settings: Settings) -> None:
        super().__init__(config)
        self._in_flight = in_flight
        self._drain_limits = settings.drain
        self._hooks = settings.hooks
        self._refusals = settings.refusals
        # A worker ends with its supervisor; a server that stands alone outlives the shell that started it.
        self._supervisor = os.getppid() if settings.binding.workers > 1 else None
        self._listening: list[socket.socket] = []
        self._ending = asyncio.Event()
        self._now = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn's handlers would close WebSockets at once and re-raise the signal; ours are on the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then take signals and tell the owner."""
        await super().startup(sockets)
        self._listening = sockets or []
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
            turnstile = group.create_task(self._turn_away())
            await self._ending.wait()
            turnstile.cancel()
            if not self.should_exit:
                await self._drain()
            self.should_exit = True

    async def _turn_away(self) -> None:
        """Refuse what nobody has time to accept, where the kernel tells how many that are."""
        config = self.config
        if not self._refusals.paths or config.is_ssl or sys.platform != "linux":
            return

        def protocol() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn does it
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )

        await Turnstile(self._listening, self._refusals, protocol=protocol).run()

    async def on_tick(self, counter: int) -> bool:
        """Also notice that the supervisor is gone, or that somebody set `should_exit`."""
        ends = await super().on_tick(counter)
        orphaned = self._supervisor is not None and counter % 10 == 0 and os.getppid() != self._supervisor
        if ends or orphaned:
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


def _says_no_query(record: logging.LogRecord) -> bool:
    """uvicorn logs the whole address of a WebSocket, and a key or token may stand in its query."""
    return not (isinstance(record.msg, str) and '"WebSocket ' in record.msg)


def make_server(app: ASGI3Application, settings: Settings) -> DrainingServer:
    """A server ready to run on a list of bound sockets."""
    logging.getLogger("uvicorn.error").addFilter(_says_no_query)
    in_flight = InFlight(app)
    binding = settings.binding
    config = uvicorn.Config(
        in_flight,
        http=hardened(settings.limits, settings.refusals),  # type: ignore[arg-type]  # called, like a class
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

    With several workers the application is forked: it must open nothing before its lifespan starts. `on_ready` is
    called once, by the first worker; a worker that replaces a dead one calls `on_reload`, since it was forked from
    what the supervisor knew at the start.
    """
    if settings.binding.workers == 1:
        return _run(app, settings)

    def work(binding: Binding, birth: Birth) -> int:
        def on_ready(port: int) -> None:
            if birth.first:
                settings.hooks.on_ready(port)
            if birth.stale:
                settings.hooks.on_reload()

        return _run(app, replace(settings, binding=binding, hooks=replace(settings.hooks, on_ready=on_ready)))

    return supervise(work, settings.binding)


def _run(app: ASGI3Application, settings: Settings) -> int:
    sockets = listeners(settings.binding)
    server = make_server(app, settings)
    server.run(sockets)
    return 0 if server.started else 3
