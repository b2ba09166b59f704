"""Server events to JSON. Audio deltas take a short way: the constant part of a frame is made once per content part."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from realtime.protocol import (
    ArgumentsAdded,
    ArgumentsDone,
    AudioDone,
    AudioSpoken,
    ConversationCreated,
    DtmfReceived,
    ErrorRaised,
    IdleTimedOut,
    InputCleared,
    InputCommitted,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ItemTruncated,
    LimitsTold,
    OutputCleared,
    OutputItemAdded,
    OutputItemDone,
    OutputStarted,
    OutputStopped,
    PartAdded,
    PartDone,
    PartPlace,
    PingSent,
    ResponseDone,
    ResponseStarted,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    SpeechBegan,
    SpeechEnded,
    SuggestionTold,
    SuggestionWithdrawn,
    TextDone,
    TextWritten,
    ToolServerArguments,
    ToolServerProgress,
    TranscriptionAdded,
    TranscriptionDone,
    TranscriptionFailed,
    TranscriptionSegment,
    WordsDone,
    WordsSpoken,
)

from .dialect import Dialect
from .items import write_item, write_part
from .params import wire_param
from .responses import write_response, write_transcription_usage
from .sessions import write_session

Wire = dict[str, Any]
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class Encoder:
    """Writes the frames of one connection."""

    def __init__(self, dialect: Dialect, event_ids: Callable[[], str]) -> None:
        self._dialect = dialect
        self._event_ids = event_ids
        self._beta = dialect is Dialect.BETA
        self._inworld = dialect is Dialect.INWORLD
        self._output = "" if self._beta else "output_"
        self._audio_place: PartPlace | None = None
        self._audio_head = b""
        self._writers = self._table()

    def encode(self, event: ServerEvent) -> bytes | None:
        """One text frame, or None when the dialect has no such event."""
        if type(event) is AudioSpoken and not (event.words and self._inworld):
            return self._audio(event)
        wire = self._writers[type(event)](event)
        if wire is None:
            return None
        if not isinstance(event, DtmfReceived):
            wire["event_id"] = self._event_ids()
        return orjson.dumps(wire)

    def _audio(self, event: AudioSpoken) -> bytes:
        place = event.place
        if place != self._audio_place:
            head = orjson.dumps({"type": f"response.{self._output}audio.delta", **_at(place), "delta": ""})
            self._audio_place, self._audio_head = place, head[:-2]
        event_id = orjson.dumps(self._event_ids())
        return b'%b%b","event_id":%b}' % (self._audio_head, base64.b64encode(event.audio), event_id)

    def _table(self) -> Mapping[type, Callable[[Any], Wire | None]]:
        out = self._output
        return {
            SessionCreated: self._session("created"),
            SessionUpdated: self._session("updated"),
            ConversationCreated: self._conversation,
            ItemAdded: self._item_added,
            ItemDone: self._item_done,
            ItemDeleted: lambda e: {"type": "conversation.item.deleted", "item_id": e.item_id},
            ItemRetrieved: lambda e: {"type": "conversation.item.retrieved", "item": self._item(e.item)},
            ItemTruncated: _truncated,
            TranscriptionAdded: _transcription_added,
            TranscriptionDone: self._transcription_done,
            TranscriptionFailed: self._transcription_failed,
            TranscriptionSegment: self._segment,
            ErrorRaised: self._error,
            InputCleared: lambda _: {"type": "input_audio_buffer.cleared"},
            InputCommitted: _committed,
            SpeechBegan: lambda e: _speech("started", e.item_id, audio_start_ms=e.audio_start_ms),
            SpeechEnded: lambda e: _speech("stopped", e.item_id, audio_end_ms=e.audio_end_ms),
            IdleTimedOut: self._timed_out,
            DtmfReceived: self._dtmf,
            SuggestionTold: self._suggestion,
            SuggestionWithdrawn: self._withdrawn,
            OutputStarted: lambda e: {"type": "output_audio_buffer.started", "response_id": e.response_id},
            OutputStopped: lambda e: {"type": "output_audio_buffer.stopped", "response_id": e.response_id},
            OutputCleared: lambda e: {"type": "output_audio_buffer.cleared", "response_id": e.response_id},
            ResponseStarted: lambda e: {"type": "response.created", "response": self._response(e)},
            ResponseDone: self._done,
            OutputItemAdded: lambda e: self._output_item("added", e),
            OutputItemDone: lambda e: self._output_item("done", e),
            PartAdded: lambda e: _placed("response.content_part.added", e.place, part=write_part(e.part)),
            PartDone: lambda e: _placed("response.content_part.done", e.place, part=write_part(e.part)),
            TextWritten: lambda e: _placed(f"response.{out}text.delta", e.place, delta=e.text),
            TextDone: lambda e: _placed(f"response.{out}text.done", e.place, text=e.text),
            AudioSpoken: self._audio_with_words,
            AudioDone: lambda e: _placed(f"response.{out}audio.done", e.place),
            WordsSpoken: lambda e: _placed(f"response.{out}audio_transcript.delta", e.place, delta=e.text),
            WordsDone: lambda e: _placed(f"response.{out}audio_transcript.done", e.place, transcript=e.text),
            ArgumentsAdded: lambda e: _call("delta", e.place, call_id=e.call_id, delta=e.text),
            ArgumentsDone: self._arguments_done,
            ToolServerProgress: self._progress,
            ToolServerArguments: self._server_arguments,
            LimitsTold: _limits,
            PingSent: lambda e: {"type": "ping", "timestamp": e.timestamp_ms} if self._inworld else None,
        }

    # --- session and items ----------------------------------------------------------------------------------------

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

    def _item(self, item: Any) -> Wire:
        return write_item(item, self._dialect)

    def _item_added(self, event: ItemAdded) -> Wire:
        name = "created" if self._beta else "added"
        return {
            "type": f"conversation.item.{name}",
            "previous_item_id": event.previous_item_id,
            "item": self._item(event.item),
        }

    def _item_done(self, event: ItemDone) -> Wire | None:
        if self._beta:
            return None
        return {
            "type": "conversation.item.done",
            "previous_item_id": event.previous_item_id,
            "item": self._item(event.item),
        }

    # --- what the user said ---------------------------------------------------------------------------------------

    def _transcription_done(self, event: TranscriptionDone) -> Wire:
        wire: Wire = {
            "type": f"{_TRANSCRIPTION}.completed",
            "item_id": event.item_id,
            "content_index": event.content_index,
            "transcript": event.text,
        }
        if not self._inworld:
            wire["usage"] = write_transcription_usage(event.usage)
        if event.logprobs is not None:
            wire["logprobs"] = [dict(one) for one in event.logprobs]
        if event.voice_profile is not None:
            wire["providerData"] = {"voiceProfile": dict(event.voice_profile)}
        return wire

    def _transcription_failed(self, event: TranscriptionFailed) -> Wire:
        fault = event.fault
        error = {"type": fault.kind, "code": fault.code, "message": fault.message}
        return {
            "type": f"{_TRANSCRIPTION}.failed",
            "item_id": event.item_id,
            "content_index": event.content_index,
            "error": {name: value for name, value in error.items() if value is not None},
        }

    def _segment(self, event: TranscriptionSegment) -> Wire | None:
        if self._beta:
            return None
        return {
            "type": f"{_TRANSCRIPTION}.segment",
            "id": event.id,
            "item_id": event.item_id,
            "content_index": event.content_index,
            "text": event.text,
            "speaker": event.speaker,
            "start": event.start_s,
            "end": event.end_s,
        }

    def _timed_out(self, event: IdleTimedOut) -> Wire | None:
        if self._beta:
            return None
        return {
            "type": "input_audio_buffer.timeout_triggered",
            "item_id": event.item_id,
            "audio_start_ms": event.audio_start_ms,
            "audio_end_ms": event.audio_end_ms,
        }

    def _dtmf(self, event: DtmfReceived) -> Wire | None:
        if self._beta:
            return None
        return {
            "type": "input_audio_buffer.dtmf_event_received",
            "event": event.key,
            "received_at": event.received_at_s,
        }

    def _suggestion(self, event: SuggestionTold) -> Wire | None:
        if not self._inworld:
            return None
        optional = {
            "trailing_silence_ms": event.trailing_silence_ms,
            "audio_duration_ms": event.audio_duration_ms,
            "inference_ms": event.inference_ms,
        }
        return {
            "type": "input_audio_buffer.turn_suggestion",
            "item_id": event.item_id,
            "utterance_index": event.utterance_index,
            "probability": event.probability,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def _withdrawn(self, event: SuggestionWithdrawn) -> Wire | None:
        if not self._inworld:
            return None
        return {
            "type": "input_audio_buffer.turn_suggestion_revoked",
            "item_id": event.item_id,
            "utterance_index": event.utterance_index,
        }

    # --- responses ------------------------------------------------------------------------------------------------

    def _response(self, event: ResponseStarted | ResponseDone) -> Wire:
        return write_response(event.response, self._dialect)

    def _done(self, event: ResponseDone) -> Wire:
        wire: Wire = {"type": "response.done", "response": self._response(event)}
        if self._inworld:
            wire["usage"] = wire["response"]["usage"]
        return wire

    def _output_item(self, stage: str, event: OutputItemAdded | OutputItemDone) -> Wire:
        return {
            "type": f"response.output_item.{stage}",
            "response_id": event.response_id,
            "output_index": event.output_index,
            "item": self._item(event.item),
        }

    def _audio_with_words(self, event: AudioSpoken) -> Wire:
        ends = [end_ms / 1000 for _, end_ms in event.words]
        alignment = {
            "words": [word for word, _ in event.words],
            "wordStartTimeSeconds": [0.0, *ends[:-1]],
            "wordEndTimeSeconds": ends,
        }
        delta = base64.b64encode(event.audio).decode("ascii")
        told = {"timestampInfo": {"wordAlignment": alignment}}
        return _placed("response.output_audio.delta", event.place, delta=delta, providerData=told)

    def _arguments_done(self, event: ArgumentsDone) -> Wire:
        named = {} if self._beta else {"name": event.name}
        return _call("done", event.place, call_id=event.call_id, **named, arguments=event.arguments)

    def _progress(self, event: ToolServerProgress) -> Wire | None:
        if self._beta:
            return None
        place = {} if event.subject == "mcp_list_tools" else {"output_index": event.output_index}
        return {"type": f"{event.subject}.{event.stage}", "item_id": event.item_id, **place}

    def _server_arguments(self, event: ToolServerArguments) -> Wire | None:
        if self._beta:
            return None
        place = event.place
        stage, field = ("done", "arguments") if event.done else ("delta", "delta")
        return {
            "type": f"response.mcp_call_arguments.{stage}",
            "response_id": place.response_id,
            "item_id": place.item_id,
            "output_index": place.output_index,
            field: event.text,
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


def _at(place: PartPlace) -> Wire:
    return {
        "response_id": place.response_id,
        "item_id": place.item_id,
        "output_index": place.output_index,
        "content_index": place.content_index,
    }


def _placed(kind: str, place: PartPlace, **fields: Any) -> Wire:
    return {"type": kind, **_at(place), **fields}


def _call(stage: str, place: PartPlace, **fields: Any) -> Wire:
    return {
        "type": f"response.function_call_arguments.{stage}",
        "response_id": place.response_id,
        "item_id": place.item_id,
        "output_index": place.output_index,
        **fields,
    }


def _truncated(event: ItemTruncated) -> Wire:
    return {
        "type": "conversation.item.truncated",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "audio_end_ms": event.audio_end_ms,
    }


def _transcription_added(event: TranscriptionAdded) -> Wire:
    wire: Wire = {
        "type": f"{_TRANSCRIPTION}.delta",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "delta": event.text,
    }
    if event.logprobs is not None:
        wire["logprobs"] = [dict(one) for one in event.logprobs]
    return wire


def _committed(event: InputCommitted) -> Wire:
    return {
        "type": "input_audio_buffer.committed",
        "previous_item_id": event.previous_item_id,
        "item_id": event.item_id,
    }


def _speech(stage: str, item_id: str, **position: int) -> Wire:
    return {"type": f"input_audio_buffer.speech_{stage}", **position, "item_id": item_id}


def _limits(event: LimitsTold) -> Wire:
    limits = [
        {"name": one.name, "limit": one.limit, "remaining": one.remaining, "reset_seconds": one.reset_s}
        for one in event.limits
    ]
    return {"type": "rate_limits.updated", "rate_limits": limits}
