"""What the shell has to do, in the order given among the server events. An effect never blocks the machine.

Effects about something that ended meanwhile may simply be ignored; the shell may report late, the machine forgets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .items import Item
from .settings import AudioFormat, Modality, SessionSettings
from .tool_servers import ToolServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """All one reply is made from, a snapshot.

    `items` is the model's context, oldest first: what the user heard stands for what was said, items without words are
    left out, each tool call is followed by its output. `user_id`, `facts` and `voice_profile` are for routing.
    `modalities` with "audio" means: speak it.
    """

    model: str
    instructions: str
    items: tuple[Item, ...]
    modalities: tuple[Modality, ...]
    voice: str
    speed: float
    output_format: AudioFormat
    speech_model: str | None = None
    speech_language: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    reasoning: Mapping[str, Any] | None = None
    prompt: Mapping[str, Any] | None = None
    metadata: Mapping[str, str] | None = None
    user_id: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    voice_profile: Mapping[str, Any] | None = None
    provider: Mapping[str, Any] = field(default_factory=dict)

    @property
    def speaks(self) -> bool:
        """Whether audio is wanted; then `SpeakingFinished` must be reported as well."""
        return "audio" in self.modalities


@dataclass(frozen=True, slots=True)
class StartReply:
    """Make a reply. Report deltas, then `ReplyFinished` (and `SpeakingFinished` when it speaks) or `ReplyFailed`."""

    response_id: str
    request: ReplyRequest


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop model and speech of this response at once. Its `ResponseDone` is in the same tuple."""

    response_id: str


@dataclass(frozen=True, slots=True)
class DropAudio:
    """Throw away audio of this response that is queued but not sent."""

    response_id: str


@dataclass(frozen=True, slots=True)
class BeginUtterance:
    """Speech began: transcribe from `audio_start_ms` (input position) under this item id."""

    item_id: str
    audio_start_ms: float


@dataclass(frozen=True, slots=True)
class CommitUtterance:
    """The audio between these input positions is item `item_id`: finish its transcript and report it.

    Comes without `BeginUtterance` when the client commits by hand. Nothing older than `audio_end_ms` is needed again.
    """

    item_id: str
    audio_start_ms: float
    audio_end_ms: float


@dataclass(frozen=True, slots=True)
class DropUtterance:
    """Forget uncommitted audio and what was begun with it (`item_id`, if speech had begun); reset the detector."""

    item_id: str | None


@dataclass(frozen=True, slots=True)
class TranscribeItem:
    """A client brought recorded speech (PCM16, 24 kHz) in an item: transcribe and report it."""

    item_id: str
    audio: bytes


@dataclass(frozen=True, slots=True)
class TruncateHeard:
    """The user heard only `heard_ms` of this item, that is `text`; `source` says how we know. For logs and speakers."""

    item_id: str
    heard_ms: float
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class ListTools:
    """Ask a tool server what it can do; report `ToolsListed`, once, in bounded time."""

    item_id: str
    server: ToolServer


@dataclass(frozen=True, slots=True)
class CallTool:
    """Call a tool of a server with these arguments (JSON text); report `ToolAnswered`, once, in bounded time."""

    item_id: str
    server: ToolServer
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """The settings changed: reconfigure detector, transcriber and resamplers."""

    settings: SessionSettings


@dataclass(frozen=True, slots=True)
class WakeAfter:
    """Report `TimerFired(timer_id)` after `delay_ms`. A timer of the same name replaces the older one."""

    name: str
    timer_id: str
    delay_ms: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget this timer."""

    timer_id: str


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Send what is queued, then close the connection. Nothing follows."""

    code: int
    reason: str


Effect = (
    StartReply
    | CancelReply
    | DropAudio
    | BeginUtterance
    | CommitUtterance
    | DropUtterance
    | TranscribeItem
    | TruncateHeard
    | ListTools
    | CallTool
    | ApplySettings
    | WakeAfter
    | CancelTimer
    | CloseConnection
)
