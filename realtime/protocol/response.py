"""One response: its message as it grows, and the closing events, each exactly once and in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .calls import Calls
from .client_events import Fault
from .items import AudioPart, FunctionCall, Item, ItemStatus, McpItem, Message, Part, TextPart
from .output import Output
from .pipeline_events import WordSpoken
from .playback import Playback
from .reply_events import (
    AudioDone,
    AudioSpoken,
    EndReason,
    PartAdded,
    PartDone,
    PartPlace,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    ResponseView,
    TextDone,
    TextWritten,
    WordsDone,
    WordsSpoken,
)
from .settings import SessionSettings
from .state import SessionState
from .usage import NO_USAGE, Attempts, Usage


@dataclass(slots=True)
class _Words:
    """The message of a response while it grows."""

    place: PartPlace  # of its first part
    text: list[str] = field(default_factory=list)
    playback: Playback = field(default_factory=Playback)


class Response:
    """A response that was announced and is not done. `settings` are the session's with this response's overrides."""

    def __init__(
        self,
        state: SessionState,
        settings: SessionSettings,
        *,
        in_conversation: bool = True,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._state = state
        self.id = state.ids("resp")
        self.settings = settings
        self.metadata = metadata
        self.in_conversation = in_conversation
        self.automatic = False  # the session made it after a turn of the user
        self.joinable = False  # made after a tool output; the client's own `CreateResponse` joins it
        self.inputs: tuple[Item, ...] | None = None  # its own context, instead of the conversation
        self.awaits: set[str] = set()  # items whose words are unknown
        self.has_words = False  # an awaited transcript had words
        self.started = False  # the reply was asked for
        self.text_finished = False
        self.audio_finished = "audio" not in settings.modalities
        self.length_reason: EndReason | None = None
        self.spoken_characters = 0
        self.usage: Usage = NO_USAGE
        self.attempts: Attempts = ()
        self._output = Output(state, self.id, in_conversation=in_conversation)
        self.calls = Calls(state, self._output)
        self._words: _Words | None = None
        self._fresh_words: list[tuple[str, float, float]] = []

    def announce(self) -> None:
        """The response begins."""
        self._state.say(ResponseStarted(self._view("in_progress", None, None)))

    @property
    def complete(self) -> bool:
        """Nothing more is to come."""
        return self.text_finished and (self.audio_finished or self._words is None) and not self.calls.run

    @property
    def message_id(self) -> str | None:
        """The item that is being said, while it is."""
        return self._words.place.item_id if self._words else None

    @property
    def tools_answered(self) -> bool:
        """The response called tools, and the client has given all of its outputs; servers' are waited for anyway."""
        items = self._output.items
        if not any(isinstance(item, FunctionCall) for item in items):
            return self.text_finished and any(isinstance(item, McpItem) for item in items)
        return not self._state.conversation.owes_answers({self.id})

    def holds(self, item_id: str) -> bool:
        """Whether this item is an open one of this response."""
        return item_id == self.message_id or self.calls.growing(item_id)

    def _view(self, status: ResponseStatus, reason: EndReason | None, fault: Fault | None) -> ResponseView:
        ended = status != "in_progress"
        return ResponseView(
            id=self.id,
            conversation_id=self._state.conversation.id if self.in_conversation else None,
            status=status,
            modalities=self.settings.modalities,
            voice=self.settings.voice,
            output_format=self.settings.output_format,
            max_output_tokens=self.settings.max_output_tokens,
            temperature=self.settings.temperature,
            metadata=self.metadata,
            output=tuple(self._output.items) if ended else (),
            reason=reason,
            fault=fault,
            usage=self.usage if ended else None,
            attempts=self.attempts if ended else (),
        )

    def write(self, text: str) -> None:
        """More words, written and/or said."""
        if not text:
            return
        words = self._words or self._open_message()
        words.text.append(text)
        for place, part in self._parts(words):
            spoken = isinstance(part, AudioPart)
            self._state.say(WordsSpoken(place, text) if spoken else TextWritten(place, text))

    def speak(self, audio: bytes) -> None:
        """More sound."""
        words = self._words or self._open_message()
        playback, state = words.playback, self._state
        playback.ends_at_ms = max(playback.ends_at_ms, state.plays_until_ms)
        playback.send(self.settings.output_format.duration_ms(len(audio)), now_ms=state.now_ms)
        state.plays_until_ms = playback.ends_at_ms
        state.has_spoken = True
        place = words.place if len(self.settings.modalities) == 1 else replace(words.place, content_index=1)
        said, self._fresh_words = tuple(self._fresh_words), []
        self._state.say(AudioSpoken(place, audio, said))

    def time_word(self, word: WordSpoken) -> None:
        """Where a word stands; told with the next sound when the session wants word times."""
        self.ensure_playback().add_word(word.text, word.end_ms)
        speech = self.settings.provider.get("tts")
        if isinstance(speech, Mapping) and speech.get("timestamp_type") == "WORD":
            self._fresh_words.append((word.text, word.start_ms, word.end_ms))

    @property
    def playback(self) -> Playback | None:
        """The sound of the message being said."""
        return self._words.playback if self._words else None

    def ensure_playback(self) -> Playback:
        """The sound of the message, which begins now if it did not yet."""
        return (self._words or self._open_message()).playback

    def end_message(self, status: ItemStatus) -> None:
        """The message is complete (or will never be)."""
        words, self._words = self._words, None
        if words is None:
            return
        text = "".join(words.text)
        if self.audio_finished:
            words.playback.finish()
        parts: list[Part] = []
        for place, empty in self._parts(words):
            if isinstance(empty, AudioPart):
                part: Part = AudioPart(text, words.playback.sent_ms)
                self._state.say(AudioDone(place), WordsDone(place, text))
            else:
                part = TextPart(text)
                self._state.say(TextDone(place, text))
            self._state.say(PartDone(place, part))
            parts.append(part)
        entry = self._state.conversation.get(words.place.item_id)
        if entry is not None:
            entry.spoken = text
        self._output.close(words.place, Message(words.place.item_id, "assistant", tuple(parts), status))

    def finish(self, status: ResponseStatus, reason: EndReason | None = None, fault: Fault | None = None) -> None:
        """The response ends: whatever is open is closed first, then it is done."""
        ending: ItemStatus = "completed" if status == "completed" else "incomplete"
        self.end_message(ending)
        self.calls.end_all(ending)
        self.calls.leave()
        self._state.say(ResponseDone(self._view(status, reason, fault)))

    def _open_message(self) -> _Words:
        place = self._output.open(lambda item_id: Message(item_id, "assistant", (), "in_progress"))
        self._words = words = _Words(place)
        entry = self._state.conversation.get(place.item_id)
        if entry is not None:
            entry.playback = words.playback
        for part_place, part in self._parts(words):
            self._state.say(PartAdded(part_place, part))
        return words

    def _parts(self, words: _Words) -> list[tuple[PartPlace, Part]]:
        """The parts of the message, empty: one for each modality, the written one first."""
        kinds = sorted(self.settings.modalities, reverse=True)
        return [
            (replace(words.place, content_index=index), AudioPart("") if kind == "audio" else TextPart(""))
            for index, kind in enumerate(kinds)
        ]
