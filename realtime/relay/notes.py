"""What the course of a session opens, and what it says besides frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .responses import WORDS

Wire = Mapping[str, Any]
ITEMS = frozenset({"conversation.item.added", "conversation.item.done"})
OPENED = ITEMS | frozenset(
    {
        "error",
        "session.created",
        "session.updated",
        "conversation.item.deleted",
        "conversation.item.truncated",
        "conversation.item.input_audio_transcription.completed",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "input_audio_buffer.cleared",
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        *WORDS,
    }
)


@dataclass(frozen=True, slots=True)
class Note:
    """Something the shell keeps books of: `began`, `sounded`, `stopped` (speaking), `started`, `done`, `odd`."""

    what: str
    response_id: str = ""
    wire: Wire = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sides:
    """Frames for either side."""

    up: Sequence[bytes] = ()
    down: Sequence[bytes] = ()
