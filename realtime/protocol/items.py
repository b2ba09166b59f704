"""What a conversation is made of: items and their content parts, frozen; a change makes a new value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

Role = Literal["system", "user", "assistant"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Written words: typed by the user, or written by the assistant."""

    text: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Spoken words. `audio` is there only in items that clients create with audio of their own (PCM16, 24 kHz).

    `transcript` is None as long as nobody knows the words. `duration_ms` counts the audio of this part.
    """

    transcript: str | None = None
    duration_ms: float = 0.0
    audio: bytes | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture the user shows: a data URL, and how closely to look at it."""

    url: str
    detail: str | None = None


Part = TextPart | AudioPart | ImagePart


@dataclass(frozen=True, slots=True)
class Message:
    """Words of one speaker."""

    id: str
    role: Role
    content: tuple[Part, ...] = ()
    status: ItemStatus = "completed"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The model asks for a tool; `arguments` is JSON text as the model wrote it."""

    id: str
    call_id: str
    name: str
    arguments: str = ""
    status: ItemStatus = "completed"


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """What the tool answered to the call `call_id`."""

    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"


@dataclass(frozen=True, slots=True)
class McpItem:
    """An item of a tool server (`kind` is its wire type). Models are shown its calls, as functions, nothing else."""

    id: str
    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemReference:
    """Stands for an item of the conversation in the `input` of one response."""

    id: str


Item = Message | FunctionCall | FunctionOutput | McpItem
InputItem = Item | ItemReference


def size_bytes(item: Item) -> int:
    """About how much memory the content of an item takes, characters counted as bytes."""
    match item:
        case Message():
            return sum(_part_bytes(part) for part in item.content)
        case FunctionCall():
            return len(item.name) + len(item.arguments)
        case FunctionOutput():
            return len(item.output)
        case McpItem():
            return len(str(item.fields))
        case _:
            assert_never(item)


def _part_bytes(part: Part) -> int:
    match part:
        case TextPart():
            return len(part.text)
        case ImagePart():
            return len(part.url)
        case AudioPart():
            return len(part.audio or b"") + len(part.transcript or "")
        case _:
            assert_never(part)
