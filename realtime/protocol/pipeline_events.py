"""What the parts of the pipeline report. Reports about something already over are stale and change nothing.

`at_ms` is the monotonic clock at the moment of the report. Audio positions (`audio_ms`, `start_ms`, `end_ms`) count
audio: of the input since the session began, or of the output since the spoken item began. Times in milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .tool_servers import ServerTool
from .usage import NO_USAGE, Attempts, RateLimit, TranscriptionUsage, Usage

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    at_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(_Reported):
    """The connection stands; the first event of every machine. `epoch_s` is the wall clock, for `expires_at`."""

    epoch_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(_Reported):
    """The client is gone: stop everything, say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining(_Reported):
    """This server wants to end; close once nobody has the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(_Reported):
    """A `WakeAfter` came due. `timer_id` is the one given there."""

    timer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(_Reported):
    """The user speaks. `audio_ms`: input position of the start, prefix padding included, never below 0."""

    audio_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStopped(_Reported):
    """The user's turn is over. `audio_ms`: input position, silence window included."""

    audio_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSuggested(_Reported):
    """The turn model thinks that the turn may be over (a hint some clients get)."""

    probability: float
    trailing_silence_ms: float | None = None
    audio_duration_ms: float | None = None
    inference_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestionRevoked(_Reported):
    """The user went on speaking after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptDelta(_Reported):
    """More words of the utterance; always an addition, never the whole text so far."""

    item_id: str
    text: str
    logprobs: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptFinal(_Reported):
    """The words of a user item, final. An empty text means that nothing was said."""

    item_id: str
    text: str
    voice_profile: Mapping[str, Any] | None = None
    usage: TranscriptionUsage | None = None
    logprobs: tuple[Mapping[str, Any], ...] | None = None
    attempts: Attempts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptFailed(_Reported):
    """Nobody could transcribe this item."""

    item_id: str
    code: str
    message: str
    attempts: Attempts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta(_Reported):
    """More words of the reply, as the user shall read them (no steering tags)."""

    response_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStarted(_Reported):
    """The model calls a tool. `call_id` is unique within the response; calls may overlap."""

    response_id: str
    call_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolArgumentsDelta(_Reported):
    """More JSON text of a call's arguments."""

    response_id: str
    call_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallFinished(_Reported):
    """The arguments of a call are complete (the sum of its deltas)."""

    response_id: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFinished(_Reported):
    """The language model is done; open tool calls are complete with it. Audio may still follow.

    `limits`: where the rates of the caller's key stand now, for a key that has any.
    """

    response_id: str
    reason: FinishReason = "stop"
    usage: Usage = NO_USAGE
    attempts: Attempts = ()
    limits: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFailed(_Reported):
    """No target gave an answer, or it broke off, or nobody could speak it."""

    response_id: str
    code: str
    message: str
    kind: str = "server_error"
    attempts: Attempts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsListed(_Reported):
    """The tools of a server; None when it did not tell, for this `reason`."""

    item_id: str
    tools: tuple[ServerTool, ...] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswered(_Reported):
    """What a server answered to a call, or the `error` (as the wire has it) that stands for an answer."""

    item_id: str
    output: str = ""
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk(_Reported):
    """Audio in the output format of the response, whole samples only, paced by the shell before it is handed in."""

    response_id: str
    audio: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStarted(_Reported):
    """The chunks that follow speak `text` (a stretch of the visible words, in order)."""

    response_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFinished(_Reported):
    """The segment is out. `start_ms`, `end_ms`: where its speech lies, silence trimmed; None: all of its chunks."""

    response_id: str
    start_ms: float | None = None
    end_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSpoken(_Reported):
    """One word and where it stands in the audio of the reply."""

    response_id: str
    text: str
    end_ms: float
    start_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingFinished(_Reported):
    """All audio of the reply was handed in. Ends a response with audio, together with `ReplyFinished`."""

    response_id: str
    attempts: Attempts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackPosition(_Reported):
    """A transport that plays by itself knows how much of the reply was heard; replaces the estimate."""

    response_id: str
    heard_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStopped(_Reported):
    """A transport that plays by itself has played everything of this reply."""

    response_id: str


PipelineEvent = (
    Opened
    | Disconnected
    | Draining
    | TimerFired
    | SpeechStarted
    | SpeechStopped
    | TurnSuggested
    | SuggestionRevoked
    | TranscriptDelta
    | TranscriptFinal
    | TranscriptFailed
    | TextDelta
    | ToolCallStarted
    | ToolArgumentsDelta
    | ToolCallFinished
    | ReplyFinished
    | ReplyFailed
    | ToolsListed
    | ToolAnswered
    | AudioChunk
    | SegmentStarted
    | SegmentFinished
    | WordSpoken
    | SpeakingFinished
    | PlaybackPosition
    | PlaybackStopped
)
