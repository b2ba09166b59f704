"""The last requests in memory, for GET /v1/router/requests and /v1/router/requests/{id}.

Shown are decision, attempts and figures; never messages, metadata values or the unit. A tenant sees its own only.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from router.cost import cost_usd, tokens_of
from router.observers import Silent
from router.record import Record


class Recent(Silent):
    """A ring of `size` records, oldest out first. Implements the proxy's `RecordBook`."""

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._records: OrderedDict[str, Record] = OrderedDict()  # by generation id
        self._requests: dict[str, str] = {}  # request id -> generation id

    def on_finish(self, record: Record) -> None:
        """Keep it."""
        self._records[record.generation_id] = record
        if record.request_id is not None:
            self._requests[record.request_id] = record.generation_id
        while len(self._records) > self._size:
            _, oldest = self._records.popitem(last=False)
            if oldest.request_id is not None and self._requests.get(oldest.request_id) == oldest.generation_id:
                del self._requests[oldest.request_id]

    def recent(self, key_id: str | None, limit: int) -> list[dict[str, Any]]:
        """The tenant's latest records, newest first."""
        found: list[dict[str, Any]] = []
        for record in reversed(self._records.values()):
            if len(found) >= limit:
                break
            if record.key_id == key_id:
                found.append(shown(record))
        return found

    def find(self, key_id: str | None, request_id: str) -> dict[str, Any] | None:
        """One record of the tenant, by request id or generation id."""
        record = self.record_of(key_id, request_id)
        return None if record is None else shown(record)

    def record_of(self, key_id: str | None, request_id: str) -> Record | None:
        """The same as it is."""
        record = self._records.get(self._requests.get(request_id, request_id))
        return record if record is not None and record.key_id == key_id else None

    def __len__(self) -> int:
        return len(self._records)


def shown(record: Record) -> dict[str, Any]:
    """A record as JSON: what was decided and why, each call, and what it cost."""
    decision = record.decision
    tokens = tokens_of(record.usage)
    cost = cost_usd(record.attempts[-1].target.prices if record.attempts else None, tokens)
    decided: Mapping[str, Any] = {
        "requested": decision.requested,
        "model": decision.model,
        "reason": decision.reason.value,
        "router": decision.router,
        "route_id": decision.route_id,
        "variant_id": decision.variant_id,
        "experiment": decision.experiment,
        "sticky": decision.sticky,
        "unit": decision.unit,
        "bucket": decision.bucket,
        "propensity": decision.propensity,
        "seed": decision.seed,
        "conditions": [
            {"route_id": c.route_id, "expression": c.expression, "matched": c.matched, "error": c.error}
            for c in decision.conditions
        ],
        "plan": [{"model": c.target.name, "skipped": c.skipped} for c in decision.plan.candidates],
    }
    return {
        "id": record.request_id or record.generation_id,
        "object": "router.request",
        "time": datetime.fromtimestamp(record.wall_s, UTC).isoformat(timespec="milliseconds"),
        "kind": record.kind,
        "streamed": record.streamed,
        "status": record.status,
        "outcome": None if record.outcome is None else record.outcome.value,
        "decision": decided,
        "tokens": None if tokens is None else {"input": tokens.input, "output": tokens.output},
        "cost_usd": cost,
        "metadata": record.metadata(),
    }
