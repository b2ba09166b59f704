"""The last records, in memory, for GET /v1/router/requests: decisions and attempts, never a prompt."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from .observers import Silent
from .record import Record

MOST_RECORDS = 1000


class RecentRecords(Silent):
    """A ring of finished records; each is seen only by the key that made it (None: the open router)."""

    def __init__(self, most: int = MOST_RECORDS) -> None:
        self._most = most
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._by_request: dict[str, str] = {}

    def on_finish(self, record: Record) -> None:
        """Keep it; the oldest goes when there are too many."""
        self._records[record.generation_id] = record
        if record.request_id is not None:
            self._by_request[record.request_id] = record.generation_id
        while len(self._records) > self._most:
            _, old = self._records.popitem(last=False)
            if old.request_id is not None and self._by_request.get(old.request_id) == old.generation_id:
                del self._by_request[old.request_id]

    def recent(self, key_id: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """The key's latest records, newest first."""
        own = (record for record in reversed(self._records.values()) if record.key_id == key_id)
        return [shown(record) for record in islice(own, max(limit, 0))]

    def find(self, key_id: str | None, request_id: str) -> Mapping[str, Any] | None:
        """One record of the key, by request id or generation id."""
        record = self._records.get(self._by_request.get(request_id, request_id))
        return shown(record) if record is not None and record.key_id == key_id else None


def shown(record: Record) -> dict[str, Any]:
    """A record as JSON."""
    return {
        "id": record.request_id or record.generation_id,
        "created": record.wall_s,
        "kind": record.kind,
        "model": record.decision.requested,
        "streamed": record.streamed,
        "status": record.status,
        "outcome": record.outcome.value if record.outcome is not None else None,
        "usage": record.usage,
        "conditions": [
            {"route_id": one.route_id, "matched": one.matched, "error": one.error} for one in record.decision.conditions
        ],
        "metadata": record.metadata(),
    }
