"""What a client's `providerData` asks of the stages. The codec has checked the types; here the knobs get our names.

A knob stands over the setting of OpenAI's session that means the same. What no stage of ours knows stays in `extras`,
for servers that declare it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .protocol import SessionSettings, routing_facts

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

    def of_utterance(self, settings: SessionSettings, session_id: str) -> dict[str, Any]:
        """All that is wished of one utterance: `transcription` over these, and what routing may know."""
        user_id, facts = routing_facts(settings.provider)
        return {
            "prompt": self.prompt,
            "language": self.language,
            "extras": self.extras,
            "voice_profile": self.voice_profile,
            "logprobs": "item.input_audio_transcription.logprobs" in (settings.include or ()),
            **{name: value for name, value in (settings.transcription or {}).items() if value is not None},
            "facts": {"session_id": session_id, **facts},
            "user": user_id or session_id,
        }


Segmenting = Literal["balanced", "sentence", "full_turn", "fast_start"]
SEGMENTING: Mapping[str, Segmenting] = {  # how Inworld calls it; nothing here carries sound from segment to segment
    "auto": "balanced",
    "per_segment_context": "balanced",
    "balanced": "balanced",
    "sentence": "sentence",
    "full_turn": "full_turn",
    "fast_start": "fast_start",
}
SPEAKING = ("segmenter_strategy", "steering_handling", "language", "speaking_rate", "timestamp_type")


@dataclass(frozen=True, slots=True)
class SpeakingWishes:
    """`providerData.tts`: changes from the next reply on."""

    segmenting: Segmenting = "balanced"
    repeats_steering: bool = True  # the direction in force is said again at the head of each segment
    language: str | None = None
    speed: float | None = None
    extras: Extras = field(default_factory=dict)

    @classmethod
    def of(cls, provider: Mapping[str, Any]) -> "SpeakingWishes":
        """Read a session's `providerData`."""
        tts: Mapping[str, Any] = provider.get("tts") or {}
        return cls(
            segmenting=SEGMENTING[tts.get("segmenter_strategy") or "balanced"],
            repeats_steering=tts.get("steering_handling") != "emit_once",
            language=tts.get("language"),
            speed=tts.get("speaking_rate"),
            extras={name: value for name, value in tts.items() if name not in SPEAKING and value is not None},
        )


WRITING = {  # of `providerData.text_generation_config`, and as a chat completion calls it
    "max_new_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repetition_penalty",
    "stop_sequences": "stop",
    "seed": "seed",
    "logit_bias": "logit_bias",
}


def writing_options(provider: Mapping[str, Any]) -> dict[str, Any]:
    """`providerData.text_generation_config` as fields of a chat completion; what the session sets itself wins."""
    wanted: Mapping[str, Any] = provider.get("text_generation_config") or {}
    fields = {chat: wanted[name] for name, chat in WRITING.items() if wanted.get(name) is not None}
    effort = (wanted.get("reasoning") or {}).get("effort")
    return fields | ({"reasoning_effort": effort.lower()} if effort else {})
