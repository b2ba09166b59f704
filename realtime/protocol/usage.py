"""What a response cost in tokens, and what a key may still spend."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Attempts = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response. `cached_tokens` is a part of `input_text_tokens`.."""

    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    cached_tokens: int = 0
    speech_input_ms: int = 0
    speech_characters: int = 0

    @property
    def input_tokens(self) -> int:
        """All that went in."""
        return self.input_text_tokens + self.input_audio_tokens

    @property
    def output_tokens(self) -> int:
        """All that came out."""
        return self.output_text_tokens + self.output_audio_tokens

    @property
    def total_tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class TranscriptionUsage:
    """Either `seconds` of audio, or tokens when the provider counts them."""

    seconds: float = 0.0
    input_audio_tokens: int | None = None
    input_text_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit: how much there is, how much is left, when it is full again (seconds)."""

    name: str
    limit: int
    remaining: int
    reset_s: float
