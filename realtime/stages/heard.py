"""From played milliseconds to heard words, for one spoken item.

With measured word times a word is heard when its end was played. Without them characters count in proportion to the
played part of their own chunk, cut back to a word boundary; a chunk played to its end counts whole, and nothing is ever
guessed past it. What is never read aloud (a code block, an emoji) counts as heard with what follows it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from .base import SpokenAudio, WordTime
from .chunker import Chunk
from .speakable import Spoken

CHARS_PER_SECOND = 18.0  # of a quick voice: for a chunk whose audio had not ended


class Cut(StrEnum):
    """How the place of the cut was found."""

    NOTHING = "nothing"
    WHOLE = "whole"
    WORD_TIMES = "word_times"
    PROPORTIONAL = "proportional"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener has heard of an item."""

    text: str  # of the transcript
    ms: float
    cut: Cut


@dataclass(slots=True)
class _Part:
    chunk: Chunk
    spoken: Spoken
    start_ms: float
    duration_ms: float = 0.0
    words: list[WordTime] = field(default_factory=list)
    measured: bool = True
    ended: bool = False


class HeardLedger:
    """The audio of one item as it is sent, chunk by chunk, and what of its text lies in it."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    @property
    def sent_ms(self) -> float:
        """All audio so far."""
        return self._parts[-1].start_ms + self._parts[-1].duration_ms if self._parts else 0.0

    @property
    def text(self) -> str:
        """The transcript so far."""
        return "".join(part.chunk.text for part in self._parts)

    def begin(self, chunk: Chunk, spoken: Spoken) -> None:
        """The next chunk's audio follows. Its word times will count characters of `spoken.text`."""
        if self._parts:
            self._parts[-1].ended = True
        self._parts.append(_Part(chunk, spoken, self.sent_ms, ended=not spoken.text))

    def audio(self, piece: SpokenAudio) -> None:
        """Audio of the current chunk, as sent."""
        part = self._parts[-1]
        part.duration_ms += piece.duration_ms
        part.words.extend(piece.words)
        part.measured = part.measured and not piece.estimated

    def end(self) -> None:
        """The current chunk's audio is complete."""
        if self._parts:
            self._parts[-1].ended = True

    def heard(self, played_ms: float) -> Heard:
        """What was heard when so much of the item's audio had been played."""
        text: list[str] = []
        unspoken: list[str] = []
        for part in self._parts:
            within_ms = played_ms - part.start_ms
            if not part.spoken.text:
                unspoken.append(part.chunk.text)
                continue
            if within_ms <= 0:
                return Heard("".join(text), played_ms, Cut.WHOLE if text else Cut.NOTHING)
            if part.ended and within_ms >= part.duration_ms:
                text += [*unspoken, part.chunk.text]
                unspoken.clear()
                continue
            last, cut = _last_heard(part, within_ms)
            prefix = part.chunk.text_of(part.spoken, last) if last else ""
            if prefix.strip():
                text += [*unspoken, prefix]
            whole = bool(text) and not prefix.strip()
            return Heard("".join(text), played_ms, Cut.WHOLE if whole else cut if text else Cut.NOTHING)
        text += unspoken
        return Heard("".join(text), played_ms, Cut.WHOLE if text else Cut.NOTHING)


def _last_heard(part: _Part, within_ms: float) -> tuple[int, Cut]:
    """How many characters of the part's speech were heard."""
    spoken = part.spoken.text
    if part.words and part.measured:
        last = max((word.last for word in part.words if word.end_ms <= within_ms), default=0)
        return last, Cut.WORD_TIMES
    if part.words and not part.ended:  # estimated by the voice itself: better than our own guess of the length
        last = max((word.last for word in part.words if word.end_ms <= within_ms), default=0)
        return last, Cut.PROPORTIONAL
    duration_ms = part.duration_ms
    if not part.ended:
        duration_ms = max(duration_ms, len(spoken) / CHARS_PER_SECOND * 1000)
    last = min(len(spoken), int(len(spoken) * within_ms / duration_ms))
    while 0 < last < len(spoken) and not spoken[last].isspace():
        last -= 1
    return last, Cut.PROPORTIONAL
