"""The user's side: audio in, speech that begins and ends, turns that are committed, and the words found in them."""

from dataclasses import dataclass

from .client_events import AppendAudio, ClearAudio, CommitAudio, Fault, ResponseOptions
from .conversation import Entry
from .effects import BeginUtterance, CommitUtterance, DropUtterance
from .history import transcribed
from .items import AudioPart, Item, Message
from .listener import Listener
from .pipeline_events import (
    SpeechStarted,
    SpeechStopped,
    SuggestionRevoked,
    TranscriptDelta,
    TranscriptFailed,
    TranscriptFinal,
    TurnSuggested,
)
from .replies import Replies
from .server_events import (
    IdleTimedOut,
    InputCleared,
    InputCommitted,
    ItemAdded,
    ItemDone,
    SpeechBegan,
    SpeechEnded,
    SuggestionTold,
    SuggestionWithdrawn,
    TranscriptionAdded,
    TranscriptionDone,
    TranscriptionFailed,
)
from .state import SessionState
from .turns import Signal
from .usage import TranscriptionUsage

_LEAST_COMMIT_MS = 100.0


@dataclass(slots=True)
class _Utterance:
    """Speech that has begun and is not committed."""

    item_id: str
    start_ms: float
    partial: str = ""


class Utterances:
    """What the user says."""

    def __init__(self, state: SessionState, replies: Replies, listener: Listener) -> None:
        self._state = state
        self._replies = replies
        self._listener = listener
        self._open: _Utterance | None = None
        self._partials: dict[str, str] = {}  # words told so far, of items whose transcript is not final
        self._suggestions = 0

    @property
    def open_item_id(self) -> str | None:
        """The item that the present speech will become."""
        return self._open.item_id if self._open else None

    def append(self, event: AppendAudio) -> None:
        """Count it. Audio that nobody ever commits is refused at some point."""
        state = self._state
        manual = state.settings.turn_detection is None
        if manual and state.buffer.pending_ms > state.rules.manual_audio_limit_ms:
            message = (
                f"More than {state.rules.manual_audio_limit_ms:.0f}ms of audio are not committed; commit or clear."
            )
            state.refuse("input_audio_buffer_full", message, "audio")
            return
        state.buffer.append(len(event.audio))

    def commit(self, _event: CommitAudio) -> None:
        """The client ends the turn by hand."""
        state = self._state
        pending_ms = state.buffer.pending_ms
        if pending_ms < _LEAST_COMMIT_MS:
            state.refuse(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {pending_ms:.2f}ms of audio.",
            )
            return
        going_on, self._open = self._open, None
        item_id = going_on.item_id if going_on else state.fresh_item_id()
        self._partials[item_id] = going_on.partial if going_on else ""
        start_ms = going_on.start_ms if going_on else state.buffer.start_ms
        self._commit(item_id, start_ms, state.buffer.position_ms)
        if going_on is None:
            return
        if state.settings.turn_detection is None:
            self._replies.fire(Signal.SPEECH_ENDS)
        else:
            self._open = _Utterance(state.fresh_item_id(), state.buffer.start_ms)
            state.say(BeginUtterance(self._open.item_id, self._open.start_ms))

    def clear(self, _event: ClearAudio) -> None:
        """Forget what is not committed, and the speech that goes on in it."""
        state = self._state
        state.buffer.take(state.buffer.position_ms)
        item_id = self.open_item_id
        state.say(DropUtterance(item_id))
        if self._open is not None:
            self._open = None
            self._replies.fire(Signal.SPEECH_ENDS)
        state.say(InputCleared())

    def begin(self, event: SpeechStarted) -> None:
        """Speech: whatever is being said to the user ends in this very step, if it may be interrupted."""
        state, detection = self._state, self._state.settings.turn_detection
        if detection is None or self._open is not None:
            return
        start_ms = max(event.audio_ms, state.buffer.start_ms)
        self._open = _Utterance(state.fresh_item_id(), start_ms)
        self._suggestions = 0
        state.say(BeginUtterance(self._open.item_id, start_ms), SpeechBegan(self._open.item_id, int(start_ms)))
        interrupts = detection.interrupt_response and state.settings.kind == "realtime"
        if interrupts and self._replies.floor.responds:
            self._replies.fire(Signal.SPEECH_INTERRUPTS)
        else:
            self._replies.fire(Signal.SPEECH_STARTS)
        if interrupts:
            self._listener.interrupt()

    def end(self, event: SpeechStopped) -> None:
        """The turn is over: commit it, and answer if the settings say so."""
        state, detection = self._state, self._state.settings.turn_detection
        if self._open is None or detection is None:
            return
        item_id, start_ms = self._open.item_id, self._open.start_ms
        self._partials[item_id] = self._open.partial
        self._open = None
        end_ms = max(event.audio_ms, state.buffer.start_ms)
        state.say(SpeechEnded(item_id, int(end_ms)))
        self._replies.fire(Signal.SPEECH_ENDS)
        self._commit(item_id, start_ms, max(end_ms, start_ms))
        self._answer()

    def _answer(self) -> None:
        settings = self._state.settings
        detection = settings.turn_detection
        if settings.kind == "realtime" and detection is not None and detection.create_response:
            self._replies.begin(ResponseOptions(), automatic=True)

    def time_out(self) -> None:
        """Nobody spoke for long after a response: the silence becomes a turn."""
        state = self._state
        detection = state.settings.turn_detection
        if detection is None or detection.idle_timeout_ms is None:
            return
        start_ms, end_ms = state.buffer.start_ms, state.buffer.position_ms
        item_id = state.fresh_item_id()
        state.say(IdleTimedOut(item_id, int(start_ms), int(end_ms)))
        state.buffer.take(end_ms)
        self._add(item_id, AudioPart("", end_ms - start_ms), awaited=False)
        self._replies.begin(ResponseOptions())

    def _commit(self, item_id: str, start_ms: float, end_ms: float) -> None:
        state = self._state
        taken_ms = state.buffer.take(end_ms)
        state.say(CommitUtterance(item_id, start_ms, taken_ms))
        self._add(item_id, AudioPart(None, max(taken_ms - start_ms, 0.0)), awaited=True)

    def _add(self, item_id: str, part: AudioPart, *, awaited: bool) -> None:
        state = self._state
        item = Message(item_id, "user", (part,))
        before = state.conversation.add(Entry(item, awaited=awaited))
        state.say(InputCommitted(item_id, before), ItemAdded(item, before), ItemDone(item, before))
        held = self._partials.get(item_id)
        if held and not state.rules.early_partials and self._tells_words:
            state.say(TranscriptionAdded(item_id, 0, held))

    @property
    def _tells_words(self) -> bool:
        settings = self._state.settings
        return settings.transcription is not None or settings.kind == "transcription"

    def add_words(self, event: TranscriptDelta) -> None:
        """More words of an utterance, or of an item that came out of one."""
        state = self._state
        if self._open is not None and self._open.item_id == event.item_id:
            self._open.partial += event.text
            index, told = 0, state.rules.early_partials
        else:
            entry = state.conversation.get(event.item_id)
            if entry is None or not entry.awaited:
                return
            self._partials[event.item_id] = self._partials.get(event.item_id, "") + event.text
            index, told = speech_index(entry.item), True
        if told and event.text and self._tells_words:
            state.say(TranscriptionAdded(event.item_id, index, event.text, event.logprobs))

    def finish_words(self, event: TranscriptFinal) -> None:
        """The words are final: tell them, and let go what waited for them."""
        state = self._state
        partial = self._partials.pop(event.item_id, "")
        text = event.text if event.text.strip() or not partial else partial
        usage = event.usage or TranscriptionUsage()
        state.transcript_attempts = (*state.transcript_attempts, *event.attempts)
        state.transcribed_ms += round(usage.seconds * 1000)
        if event.voice_profile is not None:
            state.voice_profile = event.voice_profile
        entry = state.conversation.get(event.item_id)
        if entry is not None and entry.awaited and isinstance(entry.item, Message):
            index = speech_index(entry.item)
            entry.item, entry.awaited = transcribed(entry.item, text), False
            if self._tells_words:
                if text.startswith(partial) and len(text) > len(partial):
                    state.say(TranscriptionAdded(event.item_id, index, text[len(partial) :]))
                profile = event.voice_profile
                state.say(TranscriptionDone(event.item_id, index, text, usage, profile, event.logprobs))
        self._replies.words_known(event.item_id, text)

    def lose_words(self, event: TranscriptFailed) -> None:
        """Nobody could find the words."""
        state = self._state
        self._partials.pop(event.item_id, None)
        state.transcript_attempts = (*state.transcript_attempts, *event.attempts)
        fault = Fault(code=event.code, message=event.message, kind="server_error")
        entry = state.conversation.get(event.item_id)
        if entry is not None and entry.awaited:
            entry.awaited = False
            if self._tells_words:
                state.say(TranscriptionFailed(event.item_id, speech_index(entry.item), fault))
        self._replies.words_lost(event.item_id, fault)

    def suggest(self, event: TurnSuggested) -> None:
        """The turn may be over."""
        if self._open is None or not self._state.rules.tells_suggestions:
            return
        self._suggestions += 1
        self._state.say(
            SuggestionTold(
                self._open.item_id,
                self._suggestions - 1,
                event.probability,
                event.trailing_silence_ms,
                event.audio_duration_ms,
                event.inference_ms,
            )
        )

    def revoke(self, _event: SuggestionRevoked) -> None:
        """It was not over."""
        if self._open is not None and self._suggestions and self._state.rules.tells_suggestions:
            self._state.say(SuggestionWithdrawn(self._open.item_id, self._suggestions - 1))


def speech_index(item: Item) -> int:
    """Which content part of an item is the speech without words."""
    content = item.content if isinstance(item, Message) else ()
    spoken = (index for index, part in enumerate(content) if isinstance(part, AudioPart) and part.transcript is None)
    return next(spoken, 0)
