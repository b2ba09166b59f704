"""What the user said, as JSON: turns, positions in the audio, hints, and the words found."""

from collections.abc import Callable, Mapping
from typing import Any

from realtime.protocol import (
    DtmfReceived,
    IdleTimedOut,
    InputCleared,
    InputCommitted,
    SpeechBegan,
    SpeechEnded,
    SuggestionTold,
    SuggestionWithdrawn,
    TranscriptionAdded,
    TranscriptionDone,
    TranscriptionFailed,
    TranscriptionSegment,
)

from .dialect import Dialect
from .responses import write_transcription_usage

Wire = dict[str, Any]
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def hearing_writers(dialect: Dialect) -> Mapping[type, Callable[[Any], Wire | None]]:
    """How each event of the user's side is written, by its present name; None where only Inworld has such an event."""
    inworld = dialect is Dialect.INWORLD
    return {
        InputCleared: lambda _: {"type": "input_audio_buffer.cleared"},
        InputCommitted: _committed,
        SpeechBegan: lambda e: _speech("started", e.item_id, audio_start_ms=e.audio_start_ms),
        SpeechEnded: lambda e: _speech("stopped", e.item_id, audio_end_ms=e.audio_end_ms),
        IdleTimedOut: _timed_out,
        DtmfReceived: _dtmf,
        SuggestionTold: _suggestion if inworld else _nothing,
        SuggestionWithdrawn: _withdrawn if inworld else _nothing,
        TranscriptionAdded: _words_added,
        TranscriptionDone: lambda e: _words_done(e, counts=not inworld),
        TranscriptionFailed: _words_failed,
        TranscriptionSegment: _segment,
    }


def _nothing(_event: object) -> None:
    return None


def _committed(event: InputCommitted) -> Wire:
    return {
        "type": "input_audio_buffer.committed",
        "previous_item_id": event.previous_item_id,
        "item_id": event.item_id,
    }


def _speech(stage: str, item_id: str, **position: int) -> Wire:
    return {"type": f"input_audio_buffer.speech_{stage}", **position, "item_id": item_id}


def _timed_out(event: IdleTimedOut) -> Wire:
    return {
        "type": "input_audio_buffer.timeout_triggered",
        "item_id": event.item_id,
        "audio_start_ms": event.audio_start_ms,
        "audio_end_ms": event.audio_end_ms,
    }


def _dtmf(event: DtmfReceived) -> Wire:
    return {
        "type": "input_audio_buffer.dtmf_event_received",
        "event": event.key,
        "received_at": event.received_at_s,
    }


def _suggestion(event: SuggestionTold) -> Wire:
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


def _withdrawn(event: SuggestionWithdrawn) -> Wire:
    return {
        "type": "input_audio_buffer.turn_suggestion_revoked",
        "item_id": event.item_id,
        "utterance_index": event.utterance_index,
    }


def _words_added(event: TranscriptionAdded) -> Wire:
    wire: Wire = {
        "type": f"{_TRANSCRIPTION}.delta",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "delta": event.text,
    }
    if event.logprobs is not None:
        wire["logprobs"] = [dict(one) for one in event.logprobs]
    return wire


def _words_done(event: TranscriptionDone, *, counts: bool) -> Wire:
    wire: Wire = {
        "type": f"{_TRANSCRIPTION}.completed",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "transcript": event.text,
    }
    if counts:
        wire["usage"] = write_transcription_usage(event.usage)
    if event.logprobs is not None:
        wire["logprobs"] = [dict(one) for one in event.logprobs]
    if event.voice_profile is not None:
        wire["providerData"] = {"voiceProfile": dict(event.voice_profile)}
    return wire


def _words_failed(event: TranscriptionFailed) -> Wire:
    fault = event.fault
    error = {"type": fault.kind, "code": fault.code, "message": fault.message}
    return {
        "type": f"{_TRANSCRIPTION}.failed",
        "item_id": event.item_id,
        "content_index": event.content_index,
        "error": {name: value for name, value in error.items() if value is not None},
    }


def _segment(event: TranscriptionSegment) -> Wire:
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
