"""Which room takes which event; what concerns the session as a whole is taken by the machine itself."""

from collections.abc import Callable, Mapping
from typing import Any

from .client_events import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearOutput,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    RetrieveItem,
    TruncateItem,
)
from .desk import Desk
from .errands import Errands
from .pipeline_events import (
    AudioChunk,
    PlaybackPosition,
    PlaybackStopped,
    ReplyFailed,
    ReplyFinished,
    SegmentFinished,
    SegmentStarted,
    SpeakingFinished,
    SpeechStarted,
    SpeechStopped,
    SuggestionRevoked,
    TextDelta,
    ToolAnswered,
    ToolArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    ToolsListed,
    TranscriptDelta,
    TranscriptFailed,
    TranscriptFinal,
    TurnSuggested,
    WordSpoken,
)
from .replies import Replies
from .reports import Reports
from .utterances import Utterances


def routes(
    replies: Replies, utterances: Utterances, desk: Desk, reports: Reports, errands: Errands
) -> Mapping[type, Callable[[Any], None]]:
    """By the class of the event."""
    return {
        AppendAudio: utterances.append,
        CommitAudio: utterances.commit,
        ClearAudio: utterances.clear,
        SpeechStarted: utterances.begin,
        SpeechStopped: utterances.end,
        TurnSuggested: utterances.suggest,
        SuggestionRevoked: utterances.revoke,
        TranscriptDelta: utterances.add_words,
        TranscriptFinal: utterances.finish_words,
        TranscriptFailed: utterances.lose_words,
        ClearOutput: desk.clear_output,
        CreateItem: desk.create,
        RetrieveItem: desk.retrieve,
        DeleteItem: desk.delete,
        TruncateItem: desk.truncate,
        CreateResponse: replies.create,
        CancelResponse: replies.cancel,
        TextDelta: reports.text,
        AudioChunk: reports.sound,
        SegmentStarted: reports.segment,
        SegmentFinished: reports.segment_done,
        WordSpoken: reports.word,
        ToolCallStarted: reports.call,
        ToolArgumentsDelta: reports.arguments,
        ToolCallFinished: reports.call_done,
        ReplyFinished: reports.finished,
        ReplyFailed: reports.failed,
        SpeakingFinished: reports.spoken,
        PlaybackPosition: reports.position,
        PlaybackStopped: reports.stopped,
        ToolsListed: errands.listed,
        ToolAnswered: errands.answered,
    }
