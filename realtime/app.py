"""The composition root: one configuration becomes one application. Voice plugs in here."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from policies import RoutingTable
from router.assembly import build_state
from router.config import Config, ConfigError, Key, RouterFile
from router.config.saved import with_routers
from router.metrics import LabelSets, Metrics
from router.proxy.app import Access, App, create_app
from router.proxy.auth import Key as ProxyKey
from router.proxy.front import AsgiApp
from router.proxy.limits import Allowance
from router.proxy.models import Listing
from router.proxy.ops import Gauges
from router.recent import RecentRecords
from router.reload import Reloader, ReloadStatus
from router.router import Router


class House:
    """Everything that runs. `asgi` is what a server serves; the rest outlives reloads."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, voice: AsgiApp | None = None) -> None:
        self.config = config
        self.metrics = Metrics(process=True)
        self.records = RecentRecords()
        self.router = Router(build_state(config), observers=[self.metrics, self.records])
        self.reloader = Reloader(config, environ, self._take, report=self._report)
        self.listing = Listing()
        self.app: App = create_app(
            self.router,
            access=access_of(config),
            gauges=Gauges(metrics=self.metrics.render, readiness=self._readiness, records=self.records),
            listed=lambda: self.listing,
            shelf=self,
            voice=voice,
            lifespan=self,
        )
        self.asgi = self.app.asgi
        self._saved: dict[str, RouterFile | None] = {}  # put or removed (None) over the control plane, wins over files
        self._name()
        self._watching: contextlib.AsyncExitStack | None = None

    async def startup(self) -> None:
        """Watch the configuration's files until shutdown."""
        stack = contextlib.AsyncExitStack()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(self.reloader.watch(), name="reload")
        stack.callback(watching.cancel)
        self._watching = stack

    async def shutdown(self) -> None:
        """Stop watching, close every upstream."""
        if self._watching is not None:
            await self._watching.aclose()
        for upstream in self.router.state.upstreams.values():
            await upstream.aclose()

    def drain(self) -> None:
        """SIGTERM: not ready any more."""
        self.app.site.draining = True

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
        self.router.replace(build_state(config, self.router.state))
        self.app.replace_access(access_of(config))
        self.config = config
        self._name()

    def _name(self) -> None:
        """Names of the configuration in force, for lists of models and closed label sets."""
        table = cast("RoutingTable", self.router.state.table)
        policies = table.policies
        targets = tuple(table.targets)
        self.listing = Listing(targets, tuple(policies), tuple(sorted({*self.config.own_aliases, "auto"})))
        every = [(name, route) for name, policy in policies.items() for route in policy.every_route]
        labels = LabelSets(
            routes=frozenset(f"{name}/{route.id}" for name, route in every),
            variants=frozenset(variant.id for _, route in every for variant in route.variants),
            targets=frozenset(target.name for target in targets),
        )
        self.metrics.configured(labels, self.config.checksum)

    def _report(self, status: ReloadStatus) -> None:
        self.metrics.reloaded(success=status.error is None)

    def _readiness(self) -> dict[str, Any]:
        status = self.reloader.status
        shown: dict[str, Any] = {"reloads": status.reloads}
        if status.error is not None:
            shown["reload_error"] = status.error
        return shown


def build(config: Config, environ: Mapping[str, str]) -> House:
    """The house of a configuration. Raises ConfigError."""
    return House(config, environ)


def access_of(config: Config) -> Access:
    """Who may call, in the proxy's words."""
    keys: Sequence[ProxyKey] = [key_of(key) for key in config.auth.keys]
    secret = config.auth.jwt.secret.get_secret_value().encode()
    return Access(keys=keys, jwt_secret=secret, jwt_ttl_s=int(config.auth.jwt.ttl_s))


def key_of(key: Key) -> ProxyKey:
    """One key of the file."""
    return ProxyKey(
        id=key.id,
        secret=key.secret.get_secret_value(),
        routers=key.routers,
        write=key.write,
        allowance=Allowance(rpm=key.rpm, tpm=key.tpm),
        concurrent_sessions=key.concurrent_sessions,
        packets_per_second=key.packets_per_second,
    )
