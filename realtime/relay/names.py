"""Names of events and settings in OpenAI's two dialects: the present one, and the beta that some servers still speak.

Inside the relay events go by their present names. What both sides spell alike is never touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from realtime.codec import TO_BETA, in_beta

from .frames import opened, written

Wire = Mapping[str, Any]
TO_GA: Mapping[str, str] = {beta: present for present, beta in TO_BETA.items()}
ONLY_BETA = frozenset({"conversation.created"})  # a client of today is not told
INSIDE = ("session.", "conversation.item.added", "conversation.item.done", "conversation.item.retrieved",
          "response.created", "response.done", "response.output_item.")  # fmt: skip
_FORMATS = {"pcm16": {"type": "audio/pcm", "rate": 24_000}, "g711_ulaw": {"type": "audio/pcmu"},
            "g711_alaw": {"type": "audio/pcma"}}  # fmt: skip
_WORDS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
_PARTS = {"text": "output_text", "audio": "output_audio"}
_INPUT = {
    "input_audio_format": "format",
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_OUTPUT = {"output_audio_format": "format", "voice": "voice", "speed": "speed"}
_RENAMED = {"modalities": "output_modalities", "max_response_output_tokens": "max_output_tokens"}


def renamed(frame: bytes, kind: str, name: str) -> bytes:
    """The frame with another type; nothing else of it is looked at."""
    return frame.replace(f'"{kind}"'.encode(), f'"{name}"'.encode(), 1)


def session_to_ga(session: Wire) -> dict[str, Any]:
    """A beta session (or the options of a response) as one writes it today. `temperature` has no place there."""
    wire: dict[str, Any] = {}
    into: dict[str, dict[str, Any]] = {"input": {}, "output": {}}
    for name, value in session.items():
        if name in _INPUT:
            into["input"][_INPUT[name]] = _FORMATS.get(value, value) if isinstance(value, str) else value
        elif name in _OUTPUT:
            into["output"][_OUTPUT[name]] = _FORMATS.get(value, value) if isinstance(value, str) else value
        elif name == "modalities" and isinstance(value, list):
            wire["output_modalities"] = ["audio"] if "audio" in value else value
        elif name != "temperature":
            wire[_RENAMED.get(name, name)] = value
    audio = {side: fields for side, fields in into.items() if fields}
    return {**wire, "audio": audio} if audio else wire


def session_to_beta(session: Wire) -> dict[str, Any]:
    """A session of today as the beta wrote it."""
    wire = _options_to_beta(session)
    if "max_output_tokens" in wire:
        wire["max_response_output_tokens"] = wire.pop("max_output_tokens")
    return wire


def _options_to_beta(session: Wire) -> dict[str, Any]:
    """The same for a response, whose limit of tokens was never called otherwise."""
    wire = {name: value for name, value in session.items() if name not in ("audio", "type", "output_modalities")}
    audio = session.get("audio")
    for side, names in (("input", _INPUT), ("output", _OUTPUT)):
        fields = audio.get(side) if isinstance(audio, dict) else None
        for beta, present in names.items():
            if isinstance(fields, dict) and present in fields:
                wire[beta] = _word(fields[present]) if present == "format" else fields[present]
    modalities = session.get("output_modalities")
    if isinstance(modalities, list):
        wire["modalities"] = ["audio", "text"] if "audio" in modalities else modalities
    return wire


def item_to_ga(item: Wire) -> dict[str, Any]:
    """An item with the parts of an assistant's message typed as today."""
    return _with_parts(item, _PARTS)


def item_to_beta(item: Wire) -> dict[str, Any]:
    """An item with the parts of an assistant's message typed as in the beta."""
    return _with_parts(item, {present: beta for beta, present in _PARTS.items()})


def _with_parts(item: Wire, kinds: Mapping[str, str]) -> dict[str, Any]:
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, list):
        return dict(item)
    parts = [
        {**part, "type": kinds.get(str(part.get("type")), part.get("type"))}
        for part in content
        if isinstance(part, dict)
    ]
    return {**item, "content": parts}


def _word(shape: Any) -> Any:
    kind = shape.get("type") if isinstance(shape, dict) else None
    return _WORDS.get(kind, shape) if isinstance(kind, str) else shape


@dataclass(frozen=True, slots=True)
class Spelling:
    """Who speaks which dialect."""

    client_beta: bool
    upstream_beta: bool

    def with_upstream(self, *, beta: bool) -> "Spelling":
        """The same client with another upstream."""
        return replace(self, upstream_beta=beta)

    def settings_for(self, settings: Wire, *, beta: bool) -> dict[str, Any]:
        """What the upstream so far was told, for one that speaks the beta or not."""
        if beta == self.upstream_beta or not settings:
            return dict(settings)
        return session_to_beta(settings) if beta else session_to_ga({"type": "realtime", **settings})

    def present(self, kind: str) -> str:
        """The present name of one of the upstream's events."""
        return TO_GA.get(kind, kind) if self.upstream_beta else kind

    def to_client(self, frame: bytes, kind: str, present: str) -> bytes | None:
        """An event of the upstream's as the client spells it; None where it knows no such event."""
        return (
            frame if self.client_beta == self.upstream_beta else _spelled(frame, kind, present, beta=self.client_beta)
        )

    def own(self, frame: bytes, kind: str) -> bytes | None:
        """An event of our own, as of today, for the client."""
        return _spelled(frame, kind, kind, beta=True) if self.client_beta else frame

    def to_upstream(self, name: str, inner: dict[str, Any]) -> dict[str, Any]:
        """What a client's event is about (`session`, `response` or `item`), as the upstream spells it."""
        if self.client_beta == self.upstream_beta:
            return inner
        if name == "item":
            return item_to_beta(inner) if self.upstream_beta else item_to_ga(inner)
        if self.upstream_beta:
            return session_to_beta(inner) if name == "session" else _options_to_beta(inner)
        return session_to_ga({"type": "realtime", **inner}) if name == "session" else session_to_ga(inner)


def beginning(bound: Wire, *, beta: bool) -> dict[str, Any]:
    """The settings that a client secret carries, as an update of the client's dialect says them."""
    own = ("dialect", "model", "id", "object", "expires_at", "client_secret")
    session = {name: value for name, value in bound.items() if name not in own}
    return Spelling(beta, bound.get("dialect") == "beta").settings_for(session, beta=beta)


def _spelled(frame: bytes, kind: str, present: str, *, beta: bool) -> bytes | None:
    wanted = in_beta(present) if beta else None if present in ONLY_BETA else present
    if wanted is None:
        return None
    frame = frame if wanted == kind else renamed(frame, kind, wanted)
    if not present.startswith(INSIDE):
        return frame
    wire = opened(frame) or {}
    for name, change in (
        ("session", session_to_beta if beta else session_to_ga),
        ("response", _response_to_beta if beta else _response_to_ga),
        ("item", item_to_beta if beta else item_to_ga),
    ):
        if isinstance(wire.get(name), dict):
            wire[name] = change(wire[name])
    return written(wire)


def _response_to_beta(response: Wire) -> dict[str, Any]:
    return _with_output(_options_to_beta(response), item_to_beta)


def _response_to_ga(response: Wire) -> dict[str, Any]:
    return _with_output(session_to_ga(response), item_to_ga)


def _with_output(response: dict[str, Any], change: Callable[[Wire], dict[str, Any]]) -> dict[str, Any]:
    output = response.get("output")
    items = [change(item) for item in output if isinstance(item, dict)] if isinstance(output, list) else output
    return {**response, "output": items} if "output" in response else response
