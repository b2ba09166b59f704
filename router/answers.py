"""What is read of a provider's answer to judge it: everything else in it passes unread."""

from typing import Any

import msgspec


class Choice(msgspec.Struct):
    """One choice of a whole answer; `text` is of the older completions endpoint."""

    message: dict[str, Any] | None = None
    finish_reason: str | None = None
    text: str | None = None


class Answer(msgspec.Struct):
    """A whole answer."""

    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class StreamedChoice(msgspec.Struct):
    """One choice of a streamed chunk; `text` is of the older completions endpoint."""

    index: int = 0
    delta: dict[str, Any] | None = None
    finish_reason: str | None = None
    text: str | None = None


class Chunk(msgspec.Struct):
    """One chunk of a stream."""

    choices: list[StreamedChoice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


decode = msgspec.json.Decoder(Answer).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode
