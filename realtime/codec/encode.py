"""Server events to JSON: one table of writers per connection; sound takes a short way past it."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from realtime.protocol import (
    AudioSpoken,
    ConversationCreated,
    DtmfReceived,
    ErrorRaised,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ItemTruncated,
    LimitsTold,
    OutputCleared,
    OutputStarted,
    OutputStopped,
    PingSent,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
)

from .answering import AudioFrames, answering_writers
from .beta import in_beta
from .dialect import Dialect
from .hearing import hearing_writers
from .items import write_item
from .params import wire_param
from .sessions import write_session

Wire = dict[str, Any]


class Encoder:
    """Writes the frames of one connection."""

    def __init__(self, dialect: Dialect, event_ids: Callable[[], str]) -> None:
        self._dialect = dialect
        self._event_ids = event_ids
        self._beta = dialect is Dialect.BETA
        self._inworld = dialect is Dialect.INWORLD
        self._audio = AudioFrames(dialect)
        self._writers = {**self._table(), **hearing_writers(dialect), **answering_writers(dialect)}

    def encode(self, event: ServerEvent) -> bytes | None:
        """One text frame, or None when the dialect has no such event."""
        if type(event) is AudioSpoken and not (event.words and self._inworld):
            return self._audio.write(event, self._event_ids())
        wire = self._writers[type(event)](event)
        if wire is None:
            return None
        if self._beta:
            kind = in_beta(wire["type"])
            if kind is None:
                return None
            wire["type"] = kind
        if not isinstance(event, DtmfReceived):
            wire["event_id"] = self._event_ids()
        return orjson.dumps(wire)

    def _table(self) -> Mapping[type, Callable[[Any], Wire | None]]:
        return {
            SessionCreated: self._session("created"),
            SessionUpdated: self._session("updated"),
            ConversationCreated: self._conversation,
            ItemAdded: lambda e: self._item_event("added", e),
            ItemDone: lambda e: self._item_event("done", e),
            ItemDeleted: lambda e: {"type": "conversation.item.deleted", "item_id": e.item_id},
            ItemRetrieved: lambda e: {"type": "conversation.item.retrieved", "item": write_item(e.item, self._dialect)},
            ItemTruncated: _truncated,
            OutputStarted: lambda e: {"type": "output_audio_buffer.started", "response_id": e.response_id},
            OutputStopped: lambda e: {"type": "output_audio_buffer.stopped", "response_id": e.response_id},
            OutputCleared: lambda e: {"type": "output_audio_buffer.cleared", "response_id": e.response_id},
            LimitsTold: _limits,
            PingSent: lambda e: {"type": "ping", "timestamp": e.timestamp_ms} if self._inworld else None,
            ErrorRaised: self._error,
        }

    def _session(self, stage: str) -> Callable[[SessionCreated | SessionUpdated], Wire]:
        def write(event: SessionCreated | SessionUpdated) -> Wire:
            listening = self._beta and event.settings.kind == "transcription"
            name = "transcription_session" if listening else "session"
            session = write_session(event.session_id, event.settings, event.expires_at_s, self._dialect)
            return {"type": f"{name}.{stage}", "session": session}

        return write

    def _conversation(self, event: ConversationCreated) -> Wire | None:
        if not self._beta or event.kind == "transcription":
            return None
        conversation = {"id": event.conversation_id, "object": "realtime.conversation"}
        return {"type": "conversation.created", "conversation": conversation}

    def _item_event(self, stage: str, event: ItemAdded | ItemDone) -> Wire:
        return {
            "type": f"conversation.item.{stage}",
            "previous_item_id": event.previous_item_id,
            "item": write_item(event.item, self._dialect),
        }

    def _error(self, event: ErrorRaised) -> Wire:
        fault = event.fault
        error = {
            "type": fault.kind,
            "code": fault.code,
            "message": fault.message,
            "param": wire_param(fault.param, self._dialect),
            "event_id": event.event_id,
        }
        return {"type": "error", "error": error}


def _truncated(event: ItemTruncated) -> Wire:
    return {
        "type": "conversation.item.truncated",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "audio_end_ms": event.audio_end_ms,
    }


def _limits(event: LimitsTold) -> Wire:
    limits = [
        {"name": one.name, "limit": one.limit, "remaining": one.remaining, "reset_seconds": one.reset_s}
        for one in event.limits
    ]
    return {"type": "rate_limits.updated", "rate_limits": limits}
