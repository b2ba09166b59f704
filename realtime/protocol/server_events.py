"""What the client is told, in our own words; the codec gives each event its wire name, spelling and `event_id`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client_events import Fault
from .items import Item
from .reply_events import ReplyEvent
from .settings import SessionKind, SessionSettings
from .usage import RateLimit, TranscriptionUsage


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
    | ReplyEvent
    | LimitsTold
    | PingSent
)
