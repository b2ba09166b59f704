"""The composition root: one configuration becomes one application. Voice plugs in here."""

import asyncio
import gc
from collections.abc import Mapping
from typing import Any, cast

from policies import Policy, RoutingTable
from router.assembly import build_state
from router.config import Config, ConfigError, Realtime, RouterFile
from router.config.saved import with_routers
from router.guardrails import Guardrails
from router.metrics import Metrics, serve_metrics
from router.observers import Observer
from router.proxy.app import App, access_of, create_app
from router.proxy.auth import Principal
from router.proxy.exchange import Receive, Scope, Send
from router.proxy.models import Listing
from router.proxy.ops import Gauges
from router.records import Outcomes, Recent
from router.reload import Reloader, ReloadStatus
from router.request_log import RequestLog
from router.router import Router
from router.tracing import open_tracing

from .addresses import INWORLD_PATHS, OPENAI_PATHS, ask_for_upgrade
from .names import labels_of, listing_of, providers_named
from .stores import ledger_of, shared_limiter
from .upkeep import Upkeep
from .voice import LocalProvider, VoiceDoor
from .voice_metrics import VoiceMetrics
from .voice_tracing import VoiceTracing


class House:
    """Everything that runs. `asgi` is what a server serves; the rest outlives reloads."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.metrics = Metrics(process=True)
        self.recent = Recent()
        self.records = ledger_of(config.records.url, self._dropped)
        self.guardrails = Guardrails(self._tripped)
        observers: list[Observer] = [self.metrics, self.recent, RequestLog(), self.guardrails]
        if self.records is not None:
            observers.append(self.records)
        self.local = LocalProvider(lambda: self.voice.speech())  # noqa: PLW0108  the door is made further down
        self.tracing = open_tracing(environ)
        self.router = Router(build_state(config, local=self.local), observers=observers, tracing=self.tracing)
        self.reloader = Reloader(config, environ, self._take, report=self._report)
        self.listing = Listing()
        apart = config.server.metrics_port
        self.shared = shared_limiter(config.state.url)
        self.app: App = create_app(
            self.router,
            access=access_of(config.auth),
            gauges=Gauges(
                metrics=self.metrics.render if apart is None else None,
                readiness=self._readiness,
                records=self.recent,
                outcomes=Outcomes(self.recent, self.records, self._policies, config.records.url),
            ),
            listed=lambda: self.listing,
            shelf=self,
            endpoints=[("GET", path, ask_for_upgrade) for path in OPENAI_PATHS + INWORLD_PATHS],
            effective_session=self._effective_session,
            limiter=self.shared,
            voice=self._socket,
            lifespan=self,
        )
        self.asgi = self.app.asgi
        self._saved: dict[str, RouterFile | None] = {}  # put or removed (None) over the control plane, wins over files
        self.voice = VoiceDoor(
            self.router,
            lambda: self.realtime,
            lambda: self.app.site.authenticator,
            providers=lambda: self.config.providers,
            limiter=self.app.site.limiter,
            observers=[VoiceMetrics(self.metrics)] + ([] if self.tracing is None else [VoiceTracing(self.tracing)]),
        )
        self.metrics.circuits = self._circuits
        self.metrics.ceilings = self.router.health.ceilings
        self.metrics.retries_left = self.router.retries_left
        self.metrics.detector = self.voice.detector
        self._name()
        self.upkeep = Upkeep(
            self.router,
            self.reloader,
            self._lagged,
            also=[self.shared.run] if self.shared is not None else (),
            ahead=import_opening,
        )
        self._realtime: tuple[Config, Realtime] | None = None
        self._scraped: asyncio.Server | None = None  # /metrics on a port of its own

    @property
    def realtime(self) -> Realtime:
        """The settings of voice sessions, with the voices' names that are shipped."""
        if self._realtime is None or self._realtime[0] is not self.config:
            self._realtime = self.config, self.config.realtime.model_copy(update={"voices": self.config.voices})
        return self._realtime[1]

    def _effective_session(self, principal: Principal, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        from .opening import Names, effective_session  # noqa: PLC0415  only when somebody speaks

        return effective_session(self.realtime, asked, Names(self.router, principal, self.realtime))

    async def startup(self) -> None:
        """Import what targets need, then watch the configuration's files and the event loop until shutdown."""
        await self.upkeep.warm(providers_named(self.config, tuple(self.routers().values())))
        await self.upkeep.start()
        if self.records is not None:
            self.records.start()
        server = self.config.server
        if server.metrics_port is not None:
            self._scraped = await serve_metrics(server.host, server.metrics_port, self.metrics.render)
        settle_memory()

    async def shutdown(self) -> None:
        """Stop watching, close every upstream and the voice floor, write what is left of the records."""
        if self._scraped is not None:
            self._scraped.close()
        await self.voice.aclose()
        await self.upkeep.stop()
        if self.shared is not None:
            await self.shared.aclose()
        if self.records is not None:
            await asyncio.to_thread(self.records.close)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.tracing is None:
            await self.voice(scope, receive, send)
            return
        with self.tracing.session(dict(scope["headers"])):
            await self.voice(scope, receive, send)

    def _circuits(self) -> dict[str, int]:
        now_s = self.router.clock.now()
        return {
            name: 2 if seen.rests_until_s > now_s else 1 if seen.probing or seen.share < 1 else 0
            for name, seen in self.router.health.snapshot(now_s).items()
        }

    def _dropped(self, rows: int) -> None:
        self.metrics.series.child("rr_records_dropped_total").inc(rows)

    def drain(self) -> None:
        """SIGTERM: not ready any more; sessions are told."""
        self.app.site.draining = True
        self.voice.drain()

    def reload(self) -> None:
        """SIGHUP: look again."""
        self.reloader.ask()

    def routers(self) -> Mapping[str, RouterFile]:
        """Every router by name: the files' and the saved ones."""
        return {source.router.router: source.router for source in self.config.routers}

    def put(self, router: RouterFile) -> None:
        """Save a router, effective at once. Raises ConfigError; then nothing has changed."""
        self._save(router.router, router)

    def remove(self, name: str) -> None:
        """Take a router away, until its file is loaded by a new start."""
        self._save(name, None)

    def _save(self, name: str, router: RouterFile | None) -> None:
        before = self._saved
        self._saved = {**before, name: router}
        try:
            self._take(self.reloader.config)
        except ConfigError:
            self._saved = before
            raise

    def _take(self, config: Config) -> None:
        config = with_routers(config, self._saved)
        before = self.router.state.upstreams
        self.router.replace(build_state(config, self.router.state, local=self.local))
        self.app.replace_access(access_of(config.auth))
        self.upkeep.replaced(before)
        self.config = config
        self._name()

    def _name(self) -> None:
        """Names of the configuration in force, for lists of models and closed label sets."""
        table = cast("RoutingTable", self.router.state.table)
        self.listing = listing_of(self.config, table)
        self.guardrails.configured(table.policies)
        self.metrics.configured(labels_of(self.config, table), self.config.checksum, table.weights)

    def _tripped(self, routers: frozenset[str]) -> None:
        gone, self.router.tripped = self.router.tripped - routers, routers
        for name in gone:
            self.metrics.series.forget("rr_experiment_tripped", name)
        for name in routers:
            self.metrics.series.child("rr_experiment_tripped", name).set(1)

    def _policies(self) -> Mapping[str, Policy]:
        return cast("RoutingTable", self.router.state.table).policies

    def _report(self, status: ReloadStatus) -> None:
        self.metrics.reloaded(success=status.error is None)

    def _lagged(self, lag_s: float) -> None:
        self.metrics.series.child("rr_event_loop_lag_seconds").observe(lag_s)
        self.app.site.shedding.observe(lag_s, running=self.metrics.series.total("rr_inflight"))

    def _readiness(self) -> dict[str, Any]:
        status = self.reloader.status
        shown: dict[str, Any] = {"reloads": status.reloads}
        if status.error is not None:
            shown["reload_error"] = status.error
        if self.shared is not None and self.shared.degraded:
            shown |= {"degraded": True, "limits": "kept by this node alone: the shared store does not answer"}
        if self.records is not None and self.records.fault is not None:
            shown |= {"degraded": True, "records": "not written at the moment: the log says why"}
        return shown


def import_opening() -> None:
    """What minting a client secret needs: a megabyte, and 35 ms that no request shall wait for."""
    from . import opening  # noqa: PLC0415, F401  only its import is wanted


def settle_memory() -> None:
    """Keep the garbage collector away from what start-up made: it lives as long as the process.

    Requests leave hardly any cycles behind, so the young generation may grow before it is looked through; with the
    usual 700 objects a collection would fall into every second request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def build(config: Config, environ: Mapping[str, str]) -> House:
    """The house of a configuration. Raises ConfigError."""
    return House(config, environ)
