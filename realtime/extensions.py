"""What a client's `providerData` asks of the stages. The codec has checked the types; here the knobs get our names.

A knob stands over the setting of OpenAI's session that means the same. What no stage of ours knows stays in `extras`,
for servers that declare it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Extras = Mapping[str, Any]
HEARING = (
    "prompt",
    "language_hints",
    "voice_profile",
    "end_of_turn_confidence_threshold",
    "vad_threshold",
    "min_end_of_turn_silence",
    "max_turn_silence",
)
CONFIDENT = 0.5


@dataclass(frozen=True, slots=True)
class HearingWishes:
    """`providerData.stt`: changes from the next audio (detection) or utterance (words) on."""

    prompt: str | None = None
    language: str | None = None
    vad_threshold: float | None = None
    confident: float = CONFIDENT  # how sure the turn model must be that the turn is over
    silence_ms: int | None = None  # before a turn may end
    longest_silence_ms: int | None = None  # of semantic_vad, before a turn must end
    voice_profile: bool = True
    extras: Extras = field(default_factory=dict)

    @classmethod
    def of(cls, provider: Mapping[str, Any]) -> "HearingWishes":
        """Read a session's `providerData`."""
        stt: Mapping[str, Any] = provider.get("stt") or {}
        hints = stt.get("language_hints") or (None,)
        sure = stt.get("end_of_turn_confidence_threshold")
        return cls(
            prompt=stt.get("prompt"),
            language=hints[0],
            vad_threshold=stt.get("vad_threshold"),
            confident=CONFIDENT if sure is None else sure,
            silence_ms=stt.get("min_end_of_turn_silence"),
            longest_silence_ms=stt.get("max_turn_silence"),
            voice_profile=stt.get("voice_profile") is not False,
            extras={name: value for name, value in stt.items() if name not in HEARING and value is not None},
        )
