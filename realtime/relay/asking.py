"""What a client asks of its upstream, made fit for it: another dialect, a model's name that only we know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .frames import Glance, error, opened, written
from .memory import ASK, CREATE, UPDATE
from .names import Spelling

REFUSED = "invalid_request_error"
NOT_JSON = error("invalid_json", "Invalid event: failed to parse JSON value.", kind=REFUSED)
KEEPS = "A session that is relayed keeps its model; connect anew with ?model= to talk to another."


@dataclass(frozen=True, slots=True)
class Asked:
    """A frame for the upstream and the item it is about, or what is wrong with it."""

    frame: bytes
    item_id: str | None = None
    fault: Mapping[str, Any] | None = None


def asked_of(seen: Glance, frame: bytes, spelling: Spelling, models: frozenset[str]) -> Asked:
    """One frame of a client. `models`: the names of its own model that `session.model` may repeat."""
    if seen.kind not in (UPDATE, CREATE, ASK):
        return Asked(frame, seen.item_id if isinstance(seen.item_id, str) else None)
    wire = opened(frame)
    if wire is None:
        return Asked(frame, fault=NOT_JSON)
    name = {UPDATE: "session", CREATE: "item", ASK: "response"}[seen.kind]
    inner = wire.get(name)
    if not isinstance(inner, dict):
        return Asked(frame)
    changed = dict(inner)
    if seen.kind == UPDATE and changed.pop("model", None) not in (None, *models):
        own = seen.event_id if isinstance(seen.event_id, str) else None
        return Asked(frame, fault=error("invalid_value", KEEPS, kind=REFUSED, param="session.model", event_id=own))
    changed = spelling.to_upstream(name, changed)
    item_id = inner.get("id") if seen.kind == CREATE else None
    return Asked(
        frame if changed == inner else written({**wire, name: changed}), item_id if isinstance(item_id, str) else None
    )
