"""Reload: watch the configuration's files and SIGHUP; take a new configuration whole, or keep the old one and say why.

Files are polled by content, so nothing depends on the file system's notifications. A change is taken when it has held
still for one more look: a half-written file is not read in the middle.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .config import Config, ConfigError, load

POLL_S = 0.5
log = logging.getLogger("router.reload")

Take = Callable[[Config], None]
Fingerprint = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReloadStatus:
    """How the last reload went; `/readyz` and the metrics show it. `at_s` is Unix time."""

    checksum: str
    loaded_at_s: float
    failed_at_s: float | None = None
    error: str | None = None  # the first finding of the reload that failed; None after one that worked
    reloads: int = 0
    failures: int = 0


class Reloader:
    """Loads again when asked or when a file changes. `take` gets the new configuration, in the event loop's thread.

    `take` may raise ConfigError (a table that cannot be built): then the old configuration stays, too.
    `report` is told of every attempt, after it.
    """

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        take: Take,
        *,
        report: Callable[[ReloadStatus], None] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self.config = config
        self.environ = environ
        self.take = take
        self.report = report
        self.poll_s = poll_s
        self.status = ReloadStatus(config.checksum, time.time())
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload at the next look, changed or not (SIGHUP). Safe in a signal handler of the loop."""
        self._asked.set()

    def reload(self) -> bool:
        """Load everything now; True when it was taken. Errors are reported, never raised."""
        before = self.status
        try:
            config = load(self.config.path, self.environ)
            self.take(config)
        except ConfigError as error:
            first = str(error.findings[0]) if error.findings else str(error)
            self.status = ReloadStatus(
                checksum=before.checksum,
                loaded_at_s=before.loaded_at_s,
                failed_at_s=time.time(),
                error=first,
                reloads=before.reloads,
                failures=before.failures + 1,
            )
            log.error("configuration not taken, the running one stays", extra={"fields": {"why": first}})  # noqa: TRY400  a finding, no trace
        else:
            self.config = config
            self.status = ReloadStatus(
                checksum=config.checksum,
                loaded_at_s=time.time(),
                reloads=before.reloads + 1,
                failures=before.failures,
            )
            log.info("configuration taken", extra={"fields": {"checksum": config.checksum}})
        if self.report is not None:
            self.report(self.status)
        return self.status.error is None

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        taken = await asyncio.to_thread(fingerprint, self.config)
        seen = taken
        while True:
            try:
                async with asyncio.timeout(self.poll_s):
                    await self._asked.wait()
            except TimeoutError:
                pass
            asked = self._asked.is_set()
            self._asked.clear()
            now = await asyncio.to_thread(fingerprint, self.config)
            if asked or (now != taken and now == seen):
                self.reload()
                taken = now = await asyncio.to_thread(fingerprint, self.config)
            seen = now


def fingerprint(config: Config) -> Fingerprint:
    """What the configuration's files (and folders, for new and removed files) look like now."""
    prints = []
    for path in config.sources:
        try:
            if path.is_dir():
                prints.append((str(path), "|".join(sorted(entry.name for entry in path.iterdir()))))
                continue
            prints.append((str(path), hashlib.sha256(path.read_bytes()).hexdigest()))
        except OSError as error:
            prints.append((str(path), f"unreadable: {error.strerror}"))
    return tuple(prints)
