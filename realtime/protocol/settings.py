"""The settings of a session: one frozen value, changed by patches that are merged deeply and refused whole.

A patch is a mapping of field names of `SessionSettings` to new values, with nested mappings where the field is a
mapping or a `TurnDetection`. A key that is absent keeps its value, None clears what may be empty. Types, enumerations
and ranges were checked by the codec; here only the merge is made. Formats arrive as `AudioFormat`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Patch = Mapping[str, Any]
Modality = Literal["text", "audio"]
SessionKind = Literal["realtime", "transcription"]
_MERGED = ("transcription", "noise_reduction", "tracing", "reasoning")  # objects whose absent keys keep their values


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Mono audio as it is on the wire. Rates in Hz; G.711 is always 8000."""

    kind: Literal["pcm16", "ulaw", "alaw", "float32"] = "pcm16"
    rate: int = 24_000

    @property
    def bytes_per_sample(self) -> int:
        """Width of one sample."""
        return {"pcm16": 2, "float32": 4}.get(self.kind, 1)

    def duration_ms(self, size_bytes: int) -> float:
        """How long `size_bytes` of this audio last; a broken last sample does not count."""
        return (size_bytes // self.bytes_per_sample) * 1000 / self.rate


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the end of the user's turn is found. Fields of the other kind are simply unused."""

    kind: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


@dataclass(frozen=True, slots=True)
class Retention:
    """Forget old items down to `ratio` of the limit; `limit_tokens` replaces the model's own limit."""

    ratio: float
    limit_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Everything a client may set. `max_output_tokens` None means no limit; `provider` holds vendor extensions."""

    kind: SessionKind = "realtime"
    model: str = ""
    instructions: str = ""
    modalities: tuple[Modality, ...] = ("audio",)
    voice: str = "alloy"
    speed: float = 1.0
    speech_model: str | None = None
    speech_language: str | None = None
    input_format: AudioFormat = AudioFormat()
    output_format: AudioFormat = AudioFormat()
    transcription: Mapping[str, Any] | None = None
    noise_reduction: Mapping[str, Any] | None = None
    turn_detection: TurnDetection | None = TurnDetection()
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    truncation: Literal["auto", "disabled"] | Retention = "auto"
    tracing: str | Mapping[str, Any] | None = None
    include: tuple[str, ...] | None = None
    prompt: Mapping[str, Any] | None = None
    reasoning: Mapping[str, Any] | None = None
    provider: Mapping[str, Any] = field(default_factory=dict)

    def patched(self, patch: Patch) -> "SessionSettings":
        """A copy with the patch merged in. Raises TypeError for a field that does not exist (our own mistake)."""
        changes = {name: self._merged(name, value) for name, value in patch.items()}
        return replace(self, **changes)

    def _merged(self, name: str, value: Any) -> Any:
        current: Any = getattr(self, name, None)
        if name == "turn_detection" and isinstance(value, Mapping):
            return _turn_detection(self.turn_detection, value)
        if name in _MERGED and isinstance(value, Mapping):
            start = current if isinstance(current, Mapping) else {}
            return {key: wish for key, wish in deep_merge(start, value).items() if wish is not None}
        if name == "provider" and isinstance(value, Mapping):
            return deep_merge(current or {}, value)
        return value


def deep_merge(current: Patch, change: Patch) -> dict[str, Any]:
    """`current` with `change` laid over it, level by level; lists and scalars replace."""
    merged = dict(current)
    for name, value in change.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = deep_merge(below, value)
        else:
            merged[name] = value
    return merged


def _turn_detection(current: TurnDetection | None, change: Patch) -> TurnDetection:
    """Same kind, or none named: merge. Another kind: start from that kind's defaults, keep the two switches."""
    start = current or TurnDetection()
    if current is not None and change.get("kind", current.kind) != current.kind:
        start = TurnDetection(create_response=current.create_response, interrupt_response=current.interrupt_response)
    return replace(start, **change)
