"""What runs beside serving: watching files, measuring the loop's lag, loading ahead, closing what was dropped.

All of it lives in one group of tasks, from start to stop. An upstream that a reload drops is closed when the last
request that may still use it is over: requests hold the roster they began with, so its end is the end of them all.
"""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from router.looplag import sample_lag
from router.reload import Reloader
from router.router import Router
from router.upstreams.base import Upstream

QUIET_S = 0.3  # after start or a reload, so that loading does not compete with the first requests
log = logging.getLogger("realtime.upkeep")

Work = Callable[[], Coroutine[Any, Any, None]]


class Upkeep:
    """The tasks of one house. `lag` is told the event loop's lag in seconds; `also` runs beside them.

    `ahead` is called once in a thread, soon after the start: for imports that a request would else wait for.
    """

    def __init__(
        self,
        router: Router,
        reloader: Reloader,
        lag: Callable[[float], None],
        *,
        also: Sequence[Work] = (),
        ahead: Callable[[], None] | None = None,
    ) -> None:
        self._router = router
        self._reloader = reloader
        self._lag = lag
        self._also = also
        self._imports = ahead
        self._dropped: asyncio.Queue[Collection[Upstream]] = asyncio.Queue()
        self._ahead = asyncio.Event()
        self._running: contextlib.AsyncExitStack | None = None

    async def start(self) -> None:
        """Begin."""
        stack = contextlib.AsyncExitStack()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        works = [self._reloader.watch(), sample_lag(self._lag), self._close_dropped(), self._load_ahead()]
        for work in works + [make() for make in self._also]:
            stack.callback(group.create_task(work).cancel)
        self._running = stack
        self._ahead.set()

    async def stop(self) -> None:
        """End, and close what is in use now."""
        if self._running is not None:
            await self._running.aclose()
        for upstream in self._router.state.upstreams.values():
            await upstream.aclose()

    def replaced(self, before: Mapping[str, Upstream]) -> None:
        """The router has taken a new state; `before` are the upstreams of the old one."""
        self._ahead.set()
        kept = {id(upstream) for upstream in self._router.state.upstreams.values()}
        dropped = [upstream for upstream in before.values() if id(upstream) not in kept]
        if dropped:
            weakref.finalize(before, self._dropped.put_nowait, dropped).atexit = False

    async def warm(self, names: Collection[str]) -> None:
        """Start the upstreams of these providers that take seconds to load. What cannot be used is logged."""
        for name, upstream in self._router.state.upstreams.items():
            start = getattr(upstream, "start", None)
            if start is not None and name in names:
                try:
                    await start()
                except (ImportError, ValueError) as error:
                    log.warning("provider cannot be used", extra={"fields": {"provider": name, "error": str(error)}})

    async def _close_dropped(self) -> None:
        while True:
            for upstream in await self._dropped.get():
                await upstream.aclose()

    async def _load_ahead(self) -> None:
        """Load what inference will need, in a thread, so that neither readiness nor the first request waits for it."""
        while True:
            await self._ahead.wait()
            self._ahead.clear()
            await asyncio.sleep(QUIET_S)
            imports, self._imports = self._imports, None
            if imports is not None:
                await asyncio.to_thread(imports)
            guesses = self._router.state.guesses
            if guesses is not None:
                await asyncio.to_thread(guesses.prepare)
