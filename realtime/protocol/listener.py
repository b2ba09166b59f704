"""The listener at the other end: which spoken items may still be playing there, and what was heard of them.

What was not heard leaves the model's memory at once, on our estimate; the client's own truncation corrects it. The wire
keeps the whole transcript until somebody truncates the item.
"""

from dataclasses import replace

from .conversation import Entry
from .effects import DropAudio, TruncateHeard
from .items import AudioPart, Item, Message, TextPart
from .response import Response
from .server_events import ItemTruncated, OutputCleared, OutputStopped
from .state import SessionState


class Listener:
    """Spoken items whose response is done, as long as they may still be playing."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._playing: list[Entry] = []

    @property
    def rest_ms(self) -> float:
        """How long what was sent will still play."""
        return max(0.0, self._state.plays_until_ms - self._state.now_ms)

    def plays(self, entry: Entry) -> None:
        """This item is complete, or broke off; its sound may still be playing."""
        self._playing = [one for one in self._playing if self._plays_now(one)]
        self._playing.append(entry)

    def _plays_now(self, entry: Entry) -> bool:
        playback = entry.playback
        return playback is not None and playback.ends_at_ms > self._state.now_ms

    def interrupt(self) -> None:
        """Nothing more is heard: keep what was, drop the rest."""
        state = self._state
        for entry in self._playing:
            finished = entry.item.status == "completed" if isinstance(entry.item, Message) else False
            if finished and not self._plays_now(entry):
                continue
            if finished:
                state.say(DropAudio(entry.response_id or ""))
            heard_ms = entry.playback.heard_ms(state.now_ms) if entry.playback else 0.0
            self.remember(entry, heard_ms)
            if state.rules.owns_playback and entry.item.id in state.conversation:
                entry.item = silenced(entry.item, heard_ms)
                state.say(OutputCleared(entry.response_id or ""), ItemTruncated(entry.item.id, 0, int(heard_ms)))
        self._playing = []
        state.plays_until_ms = state.now_ms

    def remember(self, entry: Entry, heard_ms: float) -> None:
        """The model shall know only what was heard of this item."""
        playback = entry.playback
        text, source = playback.prefix(entry.spoken, heard_ms) if playback else ("", "all")
        entry.heard = text
        self._state.say(TruncateHeard(entry.item.id, heard_ms, text, source))

    def clear(self, main: Response | None) -> str | None:
        """The client wants silence; the response whose output was dropped, if there was any sound."""
        playing = [entry.response_id for entry in self._playing if self._plays_now(entry)]
        self.interrupt()
        if main is None or main.playback is None:
            return playing[-1] if playing else None
        main.playback.ends_at_ms = self._state.now_ms
        self._state.say(DropAudio(main.id))
        return main.id

    def stopped(self, response_id: str) -> None:
        """A transport that plays by itself has come to the end."""
        if any(entry.response_id == response_id for entry in self._playing):
            self._playing = [entry for entry in self._playing if entry.response_id != response_id]
            self._state.say(OutputStopped(response_id))

    def position(self, response_id: str, heard_ms: float) -> None:
        """A transport that plays by itself tells how far it is."""
        for entry in self._playing:
            if entry.response_id == response_id and entry.playback is not None:
                entry.playback.place(heard_ms)


def silenced(item: Item, heard_ms: float) -> Item:
    """The item as the wire shows it after truncation: shorter, and without words."""
    if not isinstance(item, Message):
        return item
    content = tuple(AudioPart(None, heard_ms) if isinstance(part, AudioPart) else TextPart("") for part in item.content)
    return replace(item, content=content)
