"""A stream for callers in the same process: chunks as dictionaries instead of events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from .ending import interrupted
from .passage import DONE
from .record import Record
from .sse import EventReader


async def parsed(read: Callable[[], Awaitable[bytes]], record: Record) -> AsyncIterator[dict[str, Any]]:
    """The chunks, without `[DONE]`. Raises Refusal for an interruption."""
    events = EventReader()
    while piece := await read():
        for payload in events.feed(piece):
            if payload == DONE:
                continue
            chunk = orjson.loads(payload)
            if "error" in chunk:
                raise interrupted(record)
            yield chunk
