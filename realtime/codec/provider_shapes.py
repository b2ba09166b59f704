"""The shape of `providerData`: what Inworld lists, typed. Names come in snake_case or camelCase; others pass unread.

Inside `text_generation_config` the reference spelling is camelCase, everywhere else snake_case: so it is written back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .shapes import Anything, Choice, Flag, ListOf, MapOf, Number, Record, Shape, Text

_TEXT, _FLAG, _ANY = Text(), Flag(), Anything()
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_CONFIG = "text_generation_config"
_SPELLED = ("stt", "tts", _CONFIG)  # below `metadata` names are the client's own


def snake(name: str) -> str:
    """`vadThreshold` as `vad_threshold`."""
    return _HUMP.sub(r"_\1", name).lower() if _HUMP.search(name) else name


def camel(name: str) -> str:
    """`max_new_tokens` as `maxNewTokens`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True, slots=True)
class EitherCase:
    """A record whose names come in snake_case or camelCase."""

    record: Record

    def check(self, value: Any, path: str) -> None:
        """The record, with its names in snake_case."""
        self.record.check({snake(name): one for name, one in value.items()} if isinstance(value, dict) else value, path)


def _open(**fields: Shape) -> EitherCase:
    return EitherCase(Record(fields, open=True))


_MILLISECONDS = Number(0, 600_000, whole=True)
STT = _open(
    prompt=_TEXT,
    voice_profile=_FLAG,
    language_hints=ListOf(_TEXT),
    end_of_turn_confidence_threshold=Number(0, 1),
    vad_threshold=Number(0, 1),
    min_end_of_turn_silence=_MILLISECONDS,
    max_turn_silence=_MILLISECONDS,
)
TTS = _open(
    segmenter_strategy=Choice(("auto", "balanced", "sentence", "full_turn", "fast_start", "per_segment_context")),
    steering_handling=Choice(("repeat_each_chunk", "emit_once")),
    language=_TEXT,
    speaking_rate=Number(0.25, 4),
    temperature=Number(0, 2),
    delivery_mode=Choice(("STABLE", "BALANCED", "CREATIVE")),
    conversational=_FLAG,
    user_turn_mode=Choice(("both", "audio_only", "text_only", "none")),
    timestamp_type=Choice(("WORD", "CHARACTER")),
    timestamp_transport_strategy=Choice(("SYNC", "ASYNC")),
)
TEXT_GENERATION = _open(
    max_new_tokens=Number(1, whole=True),
    temperature=Number(0, 2),
    top_p=Number(0, 1),
    frequency_penalty=Number(-2, 2),
    presence_penalty=Number(-2, 2),
    repetition_penalty=Number(0, 10),
    stop_sequences=ListOf(_TEXT, most=16),
    seed=Number(whole=True),
    logit_bias=_ANY,
    reasoning=_open(
        effort=Choice(("NONE", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")), max_tokens=Number(0), exclude=_FLAG
    ),
)
PROVIDER = _open(
    user_id=_TEXT,
    metadata=MapOf(_ANY),
    auto_tool_response=_FLAG,
    stt=STT,
    tts=TTS,
    text_generation_config=TEXT_GENERATION,
    memory=_open(enabled=_FLAG),
    backchannel=_open(enabled=_FLAG),
    responsiveness=_open(enabled=_FLAG),
    caching=_open(enabled=_FLAG),
)


def read_provider(wire: Mapping[str, Any]) -> dict[str, Any]:
    """`providerData` with its own names in snake_case."""
    read = {snake(name): value for name, value in wire.items()}
    for name in _SPELLED:
        if isinstance(read.get(name), Mapping):
            read[name] = {snake(key): value for key, value in read[name].items()}
    return read


def write_provider(provider: Mapping[str, Any]) -> dict[str, Any]:
    """`providerData` as the reference spells it."""
    written = dict(provider)
    if isinstance(written.get(_CONFIG), Mapping):
        written[_CONFIG] = {camel(name): value for name, value in written[_CONFIG].items()}
    return written
