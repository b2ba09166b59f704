"""A target: one model at one provider, with what is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

REALTIME = "realtime"  # the kind of a target that hears and speaks by itself, over a WebSocket


class Feature(StrEnum):
    """What a request may need and a target may lack."""

    TOOLS = "tools"
    VISION = "vision"
    JSON_SCHEMA = "json_schema"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    REASONING = "reasoning"
    PREFILL = "prefill"


@dataclass(frozen=True, slots=True)
class Prices:
    """List price in US dollars per token."""

    input_usd: float
    output_usd: float


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can answer. `lacks` holds features known to be missing: an unknown model lacks nothing."""

    provider: str
    model: str
    lacks: frozenset[Feature] = frozenset()
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    prices: Prices | None = None
    scores: Mapping[str, float] = field(default_factory=dict)  # intelligence, math, coding: higher is better
    declares: frozenset[Feature] = frozenset()  # features said to be there (prefill is used only when declared)
    kind: str = "chat"  # chat, transcription, speech, realtime, embedding, ...: what `auto` of that kind may pick
    name: str = field(init=False, repr=False, compare=False)  # the model string that names it, `provider/model`

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.provider}/{self.model}")

    @property
    def speaks(self) -> bool:
        """Whether it hears and speaks by itself, so that a whole voice session is handed to it."""
        return self.kind == REALTIME
