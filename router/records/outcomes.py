"""Outcomes on their way into the ledger: which metrics there are, and whose request an id names."""

import asyncio
from collections.abc import Callable, Mapping

from policies import Policy

from .ledger import Ledger
from .reading import NothingYetError, open_reader
from .recent import Recent
from .rows import Feedback

OWNED = "SELECT generation_id, router FROM requests WHERE {name} = ? AND {key} ORDER BY time DESC LIMIT 1"


class Outcomes:
    """What `POST /v1/router/feedback` asks and tells. `url` is where the ledger writes."""

    def __init__(
        self, recent: Recent, ledger: Ledger | None, policies: Callable[[], Mapping[str, Policy]], url: str | None
    ) -> None:
        self._recent = recent
        self._ledger = ledger
        self._policies = policies
        self._url = url

    @property
    def kept(self) -> bool:
        """Whether there is anywhere to put an outcome."""
        return self._ledger is not None

    def metrics(self) -> Mapping[str, Mapping[str, str]]:
        """Of each router that names some: metric -> kind."""
        found = {
            name: {metric.name: metric.kind for metric in policy.experiment.metrics}
            for name, policy in self._policies().items()
            if policy.experiment is not None
        }
        return {name: metrics for name, metrics in found.items() if metrics}

    async def find(self, key_id: str | None, request_id: str) -> tuple[str, str | None] | None:
        """Generation id and router of a request of this key, or None. Raises StoreError."""
        record = self._recent.record_of(key_id, request_id)
        if record is not None:
            return record.generation_id, record.decision.router
        return await asyncio.to_thread(self._read, key_id, request_id)

    def write(self, feedback: Feedback) -> None:
        """Into the ledger; written by its thread."""
        if self._ledger is not None:
            self._ledger.feedback(feedback)

    def _read(self, key_id: str | None, request_id: str) -> tuple[str, str | None] | None:
        try:
            reader = open_reader(self._url)
        except NothingYetError:
            return None
        key = "key_id IS NULL" if key_id is None else "key_id = ?"
        values = (request_id,) if key_id is None else (request_id, key_id)
        try:
            for name in ("generation_id", "request_id"):
                for generation_id, router in reader.rows(OWNED.format(name=name, key=key), values):
                    return str(generation_id), router
        finally:
            reader.close()
        return None
