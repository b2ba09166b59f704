"""What the client is told about a response, from its beginning to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .client_events import Fault
from .items import Item, Part
from .settings import AudioFormat, Modality
from .usage import Attempts, Usage

ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
EndReason = Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]


@dataclass(frozen=True, slots=True)
class PartPlace:
    """Where a content part lives."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseView:
    """A response as it is shown when it begins and when it ends. `conversation_id` is None out of band."""

    id: str
    conversation_id: str | None
    status: ResponseStatus
    modalities: tuple[Modality, ...]
    voice: str
    output_format: AudioFormat
    max_output_tokens: int | None = None
    temperature: float | None = None
    metadata: Mapping[str, str] | None = None
    output: tuple[Item, ...] = ()
    reason: EndReason | None = None
    fault: Fault | None = None
    usage: Usage | None = None
    attempts: Attempts = ()


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """A response begins."""

    response: ResponseView


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A response ended; nothing of it follows."""

    response: ResponseView


@dataclass(frozen=True, slots=True)
class OutputItemAdded:
    """A response begins an item."""

    response_id: str
    output_index: int
    item: Item


@dataclass(frozen=True, slots=True)
class OutputItemDone:
    """A response finished an item."""

    response_id: str
    output_index: int
    item: Item


@dataclass(frozen=True, slots=True)
class PartAdded:
    """A content part begins, empty."""

    place: PartPlace
    part: Part


@dataclass(frozen=True, slots=True)
class PartDone:
    """A content part is complete."""

    place: PartPlace
    part: Part


@dataclass(frozen=True, slots=True)
class TextWritten:
    """More written words."""

    place: PartPlace
    text: str


@dataclass(frozen=True, slots=True)
class TextDone:
    """All written words of a part."""

    place: PartPlace
    text: str


@dataclass(frozen=True, slots=True)
class AudioSpoken:
    """More audio, in the output format of the response. `words` (text, start_ms, end_ms) where word times are
    asked for.
    """

    place: PartPlace
    audio: bytes
    words: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class AudioDone:
    """All audio of a part was sent."""

    place: PartPlace


@dataclass(frozen=True, slots=True)
class WordsSpoken:
    """More words of what is being said."""

    place: PartPlace
    text: str


@dataclass(frozen=True, slots=True)
class WordsDone:
    """All words of what was said."""

    place: PartPlace
    text: str


@dataclass(frozen=True, slots=True)
class ArgumentsAdded:
    """More arguments of a tool call."""

    place: PartPlace
    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ArgumentsDone:
    """All arguments of a tool call."""

    place: PartPlace
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolServerProgress:
    """Progress of a remote tool server; `subject` is `mcp_list_tools` or `response.mcp_call`."""

    subject: Literal["mcp_list_tools", "response.mcp_call"]
    stage: Literal["in_progress", "completed", "failed"]
    item_id: str
    output_index: int = 0


@dataclass(frozen=True, slots=True)
class ToolServerArguments:
    """Arguments of a call to a remote tool server: a piece, or (`done`) all of them."""

    place: PartPlace
    text: str
    done: bool = False


ReplyEvent = (
    ResponseStarted
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | PartAdded
    | PartDone
    | TextWritten
    | TextDone
    | AudioSpoken
    | AudioDone
    | WordsSpoken
    | WordsDone
    | ArgumentsAdded
    | ArgumentsDone
    | ToolServerProgress
    | ToolServerArguments
)
