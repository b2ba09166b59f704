"""A response as JSON: what it is, how it ended, what it cost, who was tried."""

from typing import Any

import orjson

from realtime.protocol import Fault, ResponseView, TranscriptionUsage, Usage

from .dialect import Dialect
from .items import write_item
from .sessions import beta_format, max_tokens, write_format


def write_response(view: ResponseView, dialect: Dialect) -> dict[str, Any]:
    """The response of `response.created` and `response.done`."""
    return {
        "object": "realtime.response",
        "id": view.id,
        "status": view.status,
        "status_details": _status_details(view, dialect),
        "output": [write_item(item, dialect) for item in view.output],
        "conversation_id": view.conversation_id,
        **_voice(view, dialect),
        "usage": None if view.usage is None else write_usage(view.usage, dialect),
        "metadata": _metadata(view, dialect),
    }


def _voice(view: ResponseView, dialect: Dialect) -> dict[str, Any]:
    limit = max_tokens(view.max_output_tokens)
    if dialect is Dialect.BETA:
        return {
            "modalities": ["audio", "text"] if "audio" in view.modalities else ["text"],
            "voice": view.voice,
            "output_audio_format": beta_format(view.output_format),
            "temperature": 0.8 if view.temperature is None else view.temperature,
            "max_output_tokens": limit,
        }
    return {
        "output_modalities": sorted(view.modalities),
        "max_output_tokens": limit,
        "audio": {"output": {"format": write_format(view.output_format), "voice": view.voice}},
    }


def _metadata(view: ResponseView, dialect: Dialect) -> dict[str, Any] | None:
    """The client's map, and the attempts: a list where the original has one, JSON text where values are strings."""
    if not view.attempts:
        return None if view.metadata is None else dict(view.metadata)
    attempts = [dict(attempt) for attempt in view.attempts]
    told: Any = attempts if dialect is Dialect.INWORLD else orjson.dumps(attempts).decode()
    return {**(view.metadata or {}), "attempts": told}


def _status_details(view: ResponseView, dialect: Dialect) -> dict[str, Any] | None:
    if view.status in {"in_progress", "completed"}:
        return None
    if view.fault is None:
        return {"type": view.status, "reason": view.reason}
    server = {"reason": "server_error"} if dialect is Dialect.INWORLD else {}
    return {"type": "failed", "error": _failure(view.fault), **server}


def _failure(fault: Fault) -> dict[str, Any]:
    return {"type": fault.kind, "code": fault.code, "message": fault.message}


def write_usage(usage: Usage, dialect: Dialect) -> dict[str, Any]:
    """Tokens of a response."""
    cached = {"text_tokens": usage.cached_tokens, "audio_tokens": 0, "image_tokens": 0}
    wire: dict[str, Any] = {
        "total_tokens": usage.total_tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "input_token_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
            "image_tokens": 0,
            "cached_tokens": usage.cached_tokens,
            "cached_tokens_details": cached,
        },
        "output_token_details": {
            "text_tokens": usage.output_text_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
    }
    if dialect is Dialect.INWORLD:
        wire |= {"stt_audio_ms": usage.speech_input_ms, "tts_characters": usage.speech_characters}
    return wire


def write_transcription_usage(usage: TranscriptionUsage) -> dict[str, Any]:
    """What a transcription cost: tokens where the provider counts them, else seconds."""
    if usage.input_audio_tokens is None:
        return {"type": "duration", "seconds": usage.seconds}
    spent = usage.input_audio_tokens + usage.input_text_tokens
    return {
        "type": "tokens",
        "total_tokens": spent + usage.output_tokens,
        "input_tokens": spent,
        "input_token_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
