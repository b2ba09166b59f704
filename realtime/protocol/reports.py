"""What replier and speaker report, led to the response it belongs to; of a response that is done, nothing counts."""

from .client_events import Fault
from .listener import Listener
from .pipeline_events import (
    AudioChunk,
    PlaybackPosition,
    PlaybackStopped,
    ReplyFailed,
    ReplyFinished,
    SegmentFinished,
    SegmentStarted,
    SpeakingFinished,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    WordSpoken,
)
from .replies import Replies
from .response import Response
from .server_events import OutputStarted
from .state import SessionState


class Reports:
    """The way from a report to its response."""

    def __init__(self, state: SessionState, replies: Replies, listener: Listener) -> None:
        self._state = state
        self._replies = replies
        self._listener = listener

    def _speaking(self, response_id: str) -> Response | None:
        """The response, if it is active and has a voice."""
        response = self._replies.find(response_id)
        return response if response is not None and "audio" in response.settings.modalities else None

    def text(self, event: TextDelta) -> None:
        """More words."""
        response = self._replies.find(event.response_id)
        if response is not None:
            response.write(event.text)

    def sound(self, event: AudioChunk) -> None:
        """More sound."""
        response = self._speaking(event.response_id)
        if response is None or not event.audio:
            return
        first = response.playback is None or response.playback.sent_ms == 0
        if first and self._state.rules.owns_playback:
            response.ensure_playback()
            self._state.say(OutputStarted(response.id))
        response.speak(event.audio)

    def segment(self, event: SegmentStarted) -> None:
        """The sound that follows says this."""
        response = self._speaking(event.response_id)
        if response is not None:
            response.ensure_playback().begin_segment(event.text)
            response.spoken_characters += len(event.text)

    def segment_done(self, event: SegmentFinished) -> None:
        """Where the speech of the segment lies."""
        response = self._speaking(event.response_id)
        if response is not None and response.playback is not None:
            response.playback.end_segment(event.start_ms, event.end_ms)

    def word(self, event: WordSpoken) -> None:
        """Where a word ends."""
        response = self._speaking(event.response_id)
        if response is not None:
            response.time_word(event)

    def call(self, event: ToolCallStarted) -> None:
        """A tool call begins."""
        response = self._replies.find(event.response_id)
        if response is not None:
            response.calls.begin(event.call_id, event.name)

    def arguments(self, event: ToolArgumentsDelta) -> None:
        """More arguments."""
        response = self._replies.find(event.response_id)
        if response is not None:
            response.calls.extend(event.call_id, event.text)

    def call_done(self, event: ToolCallFinished) -> None:
        """A tool call is complete."""
        response = self._replies.find(event.response_id)
        if response is not None:
            response.calls.end(event.call_id)

    def finished(self, event: ReplyFinished) -> None:
        """The model is done."""
        response = self._replies.find(event.response_id)
        if response is None or response.text_finished:
            return
        response.text_finished = True
        response.usage = event.usage
        self._state.limits = event.limits
        response.attempts = (*response.attempts, *event.attempts)
        if event.reason == "length":
            response.length_reason = "max_output_tokens"
        elif event.reason == "content_filter":
            response.length_reason = "content_filter"
        response.calls.end_all("incomplete" if response.length_reason else "completed")
        self._finish_when_complete(response)

    def spoken(self, event: SpeakingFinished) -> None:
        """The voice is done."""
        response = self._speaking(event.response_id)
        if response is None or response.audio_finished:
            return
        response.audio_finished = True
        response.attempts = (*response.attempts, *event.attempts)
        self._finish_when_complete(response)

    def _finish_when_complete(self, response: Response) -> None:
        if response.complete:
            self._replies.finish(response)

    def failed(self, event: ReplyFailed) -> None:
        """No answer, or no more of it."""
        response = self._replies.find(event.response_id)
        if response is not None:
            fault = Fault(code=event.code, message=event.message, kind=event.kind)
            self._replies.fail(response, fault, event.attempts)

    def position(self, event: PlaybackPosition) -> None:
        """How much was heard, from someone who knows."""
        response = self._speaking(event.response_id)
        if response is not None and response.playback is not None:
            response.playback.place(event.heard_ms)
        else:
            self._listener.position(event.response_id, event.heard_ms)

    def stopped(self, event: PlaybackStopped) -> None:
        """Everything was played."""
        self._listener.stopped(event.response_id)
