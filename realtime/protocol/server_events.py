"""What the client is told, in our own words; the codec gives each event its wire name, spelling and `event_id`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .client_events import Fault
from .items import Item, Part
from .settings import AudioFormat, Modality, SessionKind, SessionSettings
from .usage import Attempts, RateLimit, TranscriptionUsage, Usage

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
class SessionCreated:
    """The first event of a session, and all of its settings."""

    session_id: str
    settings: SessionSettings
    expires_at_s: int


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """All settings after a change."""

    session_id: str
    settings: SessionSettings
    expires_at_s: int


@dataclass(frozen=True, slots=True)
class ConversationCreated:
    """Told to beta clients only."""

    conversation_id: str
    kind: SessionKind = "realtime"


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """An item is in the conversation, after `previous_item_id` (None: at the front)."""

    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An item will not grow any more."""

    item: Item
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """An item is gone."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ItemRetrieved:
    """An item as it stands. The shell may `replace` an `AudioPart` to add audio it keeps."""

    item: Item


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The unheard rest of an item is gone, and its transcript."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class TranscriptionAdded:
    """More words of a user item."""

    item_id: str
    content_index: int
    text: str
    logprobs: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class TranscriptionDone:
    """The words of a user item."""

    item_id: str
    content_index: int
    text: str
    usage: TranscriptionUsage
    voice_profile: Mapping[str, Any] | None = None
    logprobs: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """The words of a user item stay unknown."""

    item_id: str
    content_index: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class TranscriptionSegment:
    """A stretch of a user item by one speaker (diarising transcribers); times in seconds."""

    id: str
    item_id: str
    content_index: int
    text: str
    speaker: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Something the client asked for was refused, or the session ends. `event_id` is the client's."""

    fault: Fault
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class InputCleared:
    """Uncommitted audio is forgotten."""


@dataclass(frozen=True, slots=True)
class InputCommitted:
    """Audio became an item."""

    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The user speaks."""

    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The user stopped."""

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    """Nobody said anything for long; the silence becomes an item."""

    item_id: str
    audio_start_ms: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """A key was pressed on a telephone. `received_at_s` is wall clock."""

    key: str
    received_at_s: int


@dataclass(frozen=True, slots=True)
class SuggestionTold:
    """The turn may be over."""

    item_id: str
    utterance_index: int
    probability: float
    trailing_silence_ms: float | None = None
    audio_duration_ms: float | None = None
    inference_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SuggestionWithdrawn:
    """It was not."""

    item_id: str
    utterance_index: int


@dataclass(frozen=True, slots=True)
class OutputStarted:
    """The transport began to play a reply."""

    response_id: str


@dataclass(frozen=True, slots=True)
class OutputStopped:
    """The transport has played a reply to its end."""

    response_id: str


@dataclass(frozen=True, slots=True)
class OutputCleared:
    """Queued output was dropped."""

    response_id: str


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
    """More audio, in the output format of the response. `words` (text, end_ms) when word times are asked for."""

    place: PartPlace
    audio: bytes
    words: tuple[tuple[str, float], ...] = ()


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


@dataclass(frozen=True, slots=True)
class LimitsTold:
    """What the key may still spend."""

    limits: tuple[RateLimit, ...]


@dataclass(frozen=True, slots=True)
class PingSent:
    """A sign of life; `timestamp_ms` is wall clock."""

    timestamp_ms: int


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ItemAdded
    | ItemDone
    | ItemDeleted
    | ItemRetrieved
    | ItemTruncated
    | TranscriptionAdded
    | TranscriptionDone
    | TranscriptionFailed
    | TranscriptionSegment
    | ErrorRaised
    | InputCleared
    | InputCommitted
    | SpeechBegan
    | SpeechEnded
    | IdleTimedOut
    | DtmfReceived
    | SuggestionTold
    | SuggestionWithdrawn
    | OutputStarted
    | OutputStopped
    | OutputCleared
    | ResponseStarted
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
    | LimitsTold
    | PingSent
)
