"""The settings of a session as JSON: all of them, in the shape of the dialect."""

from collections.abc import Callable
from typing import Any

from realtime.protocol import AudioFormat, Retention, SessionSettings, TurnDetection

from .dialect import Dialect
from .provider_shapes import write_provider
from .tools import write_tool

_TYPES = {"pcm16": "audio/pcm", "ulaw": "audio/pcmu", "alaw": "audio/pcma", "float32": "audio/float32"}
_BETA_TYPES = {"pcm16": "pcm16", "ulaw": "g711_ulaw", "alaw": "g711_alaw", "float32": "pcm16"}


def write_format(audio_format: AudioFormat) -> dict[str, Any]:
    """A format as an object; G.711 has only one rate and does not say it."""
    kind = {"type": _TYPES[audio_format.kind]}
    return kind if audio_format.kind in {"ulaw", "alaw"} else {**kind, "rate": audio_format.rate}


def beta_format(audio_format: AudioFormat) -> str:
    """A format as one word."""
    return _BETA_TYPES[audio_format.kind]


def max_tokens(limit: int | None) -> int | str:
    """A limit, or "inf"."""
    return "inf" if limit is None else limit


def _turn_detection(detection: TurnDetection | None, *, answers: bool = True, idle: bool = True) -> Any:
    if detection is None:
        return None
    switches = (
        {"create_response": detection.create_response, "interrupt_response": detection.interrupt_response}
        if answers
        else {}
    )
    if detection.kind == "semantic_vad":
        return {"type": "semantic_vad", "eagerness": detection.eagerness, **switches}
    return {
        "type": "server_vad",
        "threshold": detection.threshold,
        "prefix_padding_ms": detection.prefix_padding_ms,
        "silence_duration_ms": detection.silence_duration_ms,
        **({"idle_timeout_ms": detection.idle_timeout_ms} if idle and answers else {}),
        **switches,
    }


def _truncation(settings: SessionSettings) -> Any:
    truncation = settings.truncation
    if not isinstance(truncation, Retention):
        return truncation
    limits = truncation.limit_tokens
    return {
        "type": "retention_ratio",
        "retention_ratio": truncation.ratio,
        **({"token_limits": {"post_instructions": limits}} if limits is not None else {}),
    }


def _input(settings: SessionSettings, *, answers: bool) -> dict[str, Any]:
    return {
        "format": write_format(settings.input_format),
        "transcription": settings.transcription,
        "noise_reduction": settings.noise_reduction,
        "turn_detection": _turn_detection(settings.turn_detection, answers=answers),
    }


def _include(settings: SessionSettings) -> list[str] | None:
    return None if settings.include is None else list(settings.include)


def _extras(settings: SessionSettings) -> dict[str, Any]:
    """Fields that are there only when they were set."""
    optional = {
        "reasoning": settings.reasoning,
        "parallel_tool_calls": settings.parallel_tool_calls,
        "providerData": write_provider(settings.provider) or None,
    }
    return {name: value for name, value in optional.items() if value is not None}


def _listening(session_id: str, settings: SessionSettings, expires_at_s: int) -> dict[str, Any]:
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": session_id,
        "expires_at": expires_at_s,
        "include": _include(settings),
        "audio": {"input": _input(settings, answers=False)},
    }


def _present(session_id: str, settings: SessionSettings, expires_at_s: int) -> dict[str, Any]:
    output = {
        "format": write_format(settings.output_format),
        "voice": settings.voice,
        "speed": settings.speed,
        **({"model": settings.speech_model} if settings.speech_model is not None else {}),
        **({"language": settings.speech_language} if settings.speech_language is not None else {}),
    }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": settings.model,
        "output_modalities": list(settings.modalities),
        "instructions": settings.instructions,
        "tools": [write_tool(tool) for tool in settings.tools],
        "tool_choice": settings.tool_choice,
        "max_output_tokens": max_tokens(settings.max_output_tokens),
        "tracing": settings.tracing,
        "truncation": _truncation(settings),
        "prompt": settings.prompt,
        "expires_at": expires_at_s,
        "audio": {"input": _input(settings, answers=True), "output": output},
        "include": _include(settings),
        **_extras(settings),
    }


def _inworld(session_id: str, settings: SessionSettings, expires_at_s: int) -> dict[str, Any]:
    session = _present(session_id, settings, expires_at_s)
    session["output_modalities"] = sorted(settings.modalities)
    session["providerData"] = write_provider(settings.provider)
    if settings.temperature is not None:
        session["temperature"] = settings.temperature
    return session


def _beta(session_id: str, settings: SessionSettings, expires_at_s: int) -> dict[str, Any]:
    both = ["audio", "text"] if "audio" in settings.modalities else ["text"]
    head: dict[str, Any] = {
        "id": session_id,
        "object": "realtime.session",
        "expires_at": expires_at_s,
        "input_audio_format": beta_format(settings.input_format),
        "input_audio_transcription": settings.transcription,
        "input_audio_noise_reduction": settings.noise_reduction,
        "turn_detection": _turn_detection(settings.turn_detection, idle=False),
        "include": _include(settings),
    }
    if settings.kind == "transcription":
        secret = {"value": "", "expires_at": expires_at_s}
        return {**head, "object": "realtime.transcription_session", "modalities": ["text"], "client_secret": secret}
    choice = settings.tool_choice
    return {
        **head,
        "model": settings.model,
        "modalities": both,
        "instructions": settings.instructions,
        "voice": settings.voice,
        "output_audio_format": beta_format(settings.output_format),
        "tools": [write_tool(tool) for tool in settings.tools],
        "tool_choice": choice if isinstance(choice, str) else "required",
        "temperature": 0.8 if settings.temperature is None else settings.temperature,
        "max_response_output_tokens": max_tokens(settings.max_output_tokens),
        "speed": settings.speed,
        "tracing": settings.tracing,
        "client_secret": None,
        **_extras(settings),
    }


def write_session(
    session_id: str, settings: SessionSettings, expires_at_s: int, dialect: Dialect = Dialect.GA
) -> dict[str, Any]:
    """All settings as the client of this dialect sees them; also the body of the REST answers."""
    shapes: dict[Dialect, Callable[[str, SessionSettings, int], dict[str, Any]]] = {
        Dialect.GA: _present,
        Dialect.BETA: _beta,
        Dialect.INWORLD: _inworld,
    }
    write = shapes[dialect]
    if settings.kind == "transcription" and dialect is not Dialect.BETA:
        write = _listening
    return write(session_id, settings, expires_at_s)
