"""From the session of a client to a patch in our own names. The shape was checked before; this only translates."""

from collections.abc import Mapping
from typing import Any

from realtime.protocol import AudioFormat, Retention

from .dialect import Dialect
from .provider_shapes import read_provider
from .shapes import Refusal
from .tools import read_tools
from .vocabulary import FORMAT_NAMES, supported_rate

Wire = Mapping[str, Any]
_CLEARABLE = {"turn_detection", "transcription", "noise_reduction", "tracing", "prompt", "include", "reasoning"}
_SAME_NAME = ("model", "instructions", "temperature", "speed", "include", "parallel_tool_calls", "reasoning", "prompt")
_BETA_INPUT = {
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}


def session_patch(session: Wire, dialect: Dialect) -> dict[str, Any]:
    """The patch of a `session.update` (or of the session a client secret was made with)."""
    patch = dict(_plain(session, dialect))
    if "type" in session and session["type"] is not None:
        patch["kind"] = session["type"]
    if session.get("modelId") is not None and "model" not in patch:
        patch["model"] = session["modelId"]
    audio = session.get("audio") or {}
    patch |= _input(audio.get("input") or {})
    patch |= _output(audio.get("output") or {}, "session.audio.output")
    return patch | _provider(session)


def beta_patch(session: Wire, *, listening: bool = False) -> dict[str, Any]:
    """The patch of a beta `session.update`, or (`listening`) of a `transcription_session.update`."""
    patch = dict(_plain(session, Dialect.BETA))
    if listening:
        patch["kind"] = "transcription"
        patch.pop("modalities", None)
    if session.get("input_audio_format") is not None:
        patch["input_format"] = audio_format(session["input_audio_format"], "session.input_audio_format")
    if session.get("output_audio_format") is not None:
        patch["output_format"] = audio_format(session["output_audio_format"], "session.output_audio_format")
    patch |= _input({ours: session[wire] for wire, ours in _BETA_INPUT.items() if wire in session})
    if session.get("voice") is not None:
        patch["voice"] = voice_name(session["voice"])
    return patch | _provider(session)


def response_overrides(response: Wire, dialect: Dialect) -> dict[str, Any]:
    """What one response does differently, in the names of settings."""
    patch = dict(_plain(response, dialect, where="response"))
    output = (response.get("audio") or {}).get("output") or {}
    patch |= _output(output, "response.audio.output")
    if response.get("voice") is not None:
        patch["voice"] = voice_name(response["voice"])
    if response.get("output_audio_format") is not None:
        patch["output_format"] = audio_format(response["output_audio_format"], "response.output_audio_format")
    return patch


def _plain(wire: Wire, dialect: Dialect, where: str = "session") -> dict[str, Any]:
    """The fields that mean the same everywhere."""
    patch = {name: wire[name] for name in _SAME_NAME if name in wire and (wire[name] is not None or name in _CLEARABLE)}
    if wire.get("tools") is not None:
        patch["tools"] = read_tools(wire["tools"], where)
    if wire.get("tool_choice") is not None:
        patch["tool_choice"] = wire["tool_choice"]
    if patch.get("include") is not None:
        patch["include"] = tuple(patch["include"])
    for name in ("max_output_tokens", "max_response_output_tokens"):
        if wire.get(name) is not None:
            patch["max_output_tokens"] = None if wire[name] == "inf" else wire[name]
    for name in ("modalities", "output_modalities"):
        if wire.get(name) is not None:
            patch["modalities"] = modalities(wire[name], dialect, f"{where}.{name}")
    if "tracing" in wire:
        patch["tracing"] = wire["tracing"]
    if wire.get("truncation") is not None:
        patch["truncation"] = _truncation(wire["truncation"])
    return patch


def _truncation(wire: Any) -> Any:
    if isinstance(wire, str):
        return wire
    return Retention(wire["retention_ratio"], (wire.get("token_limits") or {}).get("post_instructions"))


def modalities(wire: list[str], dialect: Dialect, path: str) -> tuple[str, ...]:
    """Text, audio, or (where the dialect has it) both. In beta, both means audio: it always had a transcript."""
    wanted = set(wire)
    if dialect is Dialect.BETA and "audio" in wanted:
        return ("audio",)
    if not wanted or (len(wanted) > 1 and dialect is not Dialect.INWORLD):
        both = "['audio', 'text']" if dialect is Dialect.BETA else "['audio']"
        message = f"Invalid modalities: {sorted(wanted)}. Supported combinations are: ['text'] and {both}."
        raise Refusal("invalid_value", message, path)
    return tuple(name for name in ("text", "audio") if name in wanted)


def _input(wire: Wire) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    if wire.get("format") is not None:
        patch["input_format"] = audio_format(wire["format"], "session.audio.input.format")
    for name in ("transcription", "noise_reduction", "turn_detection"):
        if name in wire:
            patch[name] = wire[name]
    if isinstance(patch.get("turn_detection"), Mapping):
        patch["turn_detection"] = _turn_detection(patch["turn_detection"])
    return patch


def _turn_detection(wire: Wire) -> dict[str, Any]:
    change = {name: value for name, value in wire.items() if value is not None or name == "idle_timeout_ms"}
    if "type" in change:
        change["kind"] = change.pop("type")
    return change


def _output(wire: Wire, path: str) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    if wire.get("format") is not None:
        patch["output_format"] = audio_format(wire["format"], f"{path}.format")
    if wire.get("voice") is not None:
        patch["voice"] = voice_name(wire["voice"])
    for wire_name, ours in (("speed", "speed"), ("model", "speech_model"), ("language", "speech_language")):
        if wire.get(wire_name) is not None:
            patch[ours] = wire[wire_name]
    return patch


def voice_name(wire: Any) -> str:
    """A voice is a name, or an object with an id."""
    return str(wire["id"]) if isinstance(wire, Mapping) else str(wire)


def audio_format(wire: Any, path: str) -> AudioFormat:
    """A format from its name, or from an object with type and rate; legacy names in the object count too."""
    name = wire if isinstance(wire, str) else wire["type"]
    kind: Any = FORMAT_NAMES[name]
    if kind in {"ulaw", "alaw"}:
        return AudioFormat(kind, 8000)
    rate = 24_000 if isinstance(wire, str) else wire.get("rate") or 24_000
    if not supported_rate(rate):
        raise Refusal("invalid_value", f"Invalid value: '{rate}'. This sample rate is not supported.", f"{path}.rate")
    return AudioFormat(kind, rate)


def _provider(session: Wire) -> dict[str, Any]:
    """Vendor extensions, under one roof: `providerData` wins over `provider_data`, `user` and `metadata`."""
    provider: dict[str, Any] = {}
    if session.get("user") is not None:
        provider["user_id"] = session["user"]
    if session.get("metadata") is not None:
        provider["metadata"] = session["metadata"]
    for name in ("provider_data", "providerData"):
        provider |= read_provider(session.get(name) or {})
    return {"provider": provider} if provider else {}
