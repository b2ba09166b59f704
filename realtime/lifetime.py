"""The life of one voice connection: its tasks live in one group, and whatever ends them, the connection ends in order.

A client that is gone is no defect. A defect of ours is told in the log and closes the session with 1011. What every
client is told that sends what cannot be taken stands here, too.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from .protocol import Fault

log = logging.getLogger("realtime.session")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

INTERNAL_ERROR = 1011
DEFECT = "internal error"
BINARY = Fault(code="invalid_event", message="Expected a text WebSocket message; binary frames are not supported.")


def too_fast(wait_s: float) -> Fault:
    """What a client is told that sends more events than its key may."""
    return Fault(
        code="rate_limit_exceeded",
        message=f"Too many events a second for this key; reading pauses for {wait_s * 1000:.0f} ms.",
        kind="rate_limit_error",
    )


@asynccontextmanager
async def life(session_id: str, send: Send) -> AsyncIterator[asyncio.TaskGroup]:
    """The group of a session's tasks. Raises nothing that its tasks or its body raise, but a cancellation."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* (ConnectionError, OSError):
        log.debug("client gone", extra={"fields": {"session_id": session_id}})
    except* Exception:
        log.exception("defect in a session", extra={"fields": {"session_id": session_id}})
        with suppress(OSError, RuntimeError):
            await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": DEFECT})
