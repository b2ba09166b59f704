"""How much of a spoken item was heard, and which words that is.

Milliseconds: the client plays at real time from the moment audio reaches it; when it runs dry the clock waits. A
client's own figure, or a transport that plays by itself, beats the estimate. Words: with word times, all words whose
end was heard, and the punctuation after them; without, segments that ended count in full and the current one in
proportion to its sound, cut back to a word boundary and never beyond the segment.
"""

import re
from dataclasses import dataclass, field

_TYPICAL_CHARACTERS_PER_MS = 0.015  # about 180 words a minute; used while the length of a segment is unknown
_TRAILING_MARKS = re.compile(r"[^\w\s]*")


@dataclass(slots=True)
class _Segment:
    """A stretch of text and where its speech lies; `end_ms` None while it is still coming."""

    text: str
    start_ms: float
    end_ms: float | None = None


@dataclass(slots=True)
class Playback:
    """The sound of one item: what was sent, when it ends at the listener, and what it says."""

    sent_ms: float = 0.0
    ends_at_ms: float = 0.0  # clock reading at which a listener without pauses has heard everything
    _known_ms: float | None = None
    _finished: bool = False
    _segments: list[_Segment] = field(default_factory=list)
    _words: list[tuple[str, float]] = field(default_factory=list)

    def send(self, duration_ms: float, *, now_ms: float) -> None:
        """More audio went out."""
        self.ends_at_ms = max(self.ends_at_ms, now_ms) + duration_ms
        self.sent_ms += duration_ms

    def begin_segment(self, text: str) -> None:
        """The audio that follows speaks `text`; ends the segment before."""
        self.end_segment(None, None)
        self._segments.append(_Segment(text, self.sent_ms))

    def end_segment(self, start_ms: float | None, end_ms: float | None) -> None:
        """The segment is out; its speech lies between these positions (None: all of its audio)."""
        if self._segments and self._segments[-1].end_ms is None:
            segment = self._segments[-1]
            segment.start_ms = segment.start_ms if start_ms is None else start_ms
            segment.end_ms = self.sent_ms if end_ms is None else end_ms

    def add_word(self, text: str, end_ms: float) -> None:
        """A word and where it ends."""
        self._words.append((text, end_ms))

    def finish(self) -> None:
        """All of the sound is there."""
        self.end_segment(None, None)
        self._finished = True

    def place(self, heard_ms: float) -> None:
        """Someone who knows says how much was heard."""
        self._known_ms = heard_ms

    def heard_ms(self, now_ms: float) -> float:
        """How much was heard by now."""
        if self._known_ms is not None:
            return min(self._known_ms, self.sent_ms)
        return min(self.sent_ms, max(0.0, self.sent_ms - (self.ends_at_ms - now_ms)))

    def prefix(self, transcript: str, heard_ms: float) -> tuple[str, str]:
        """The words of `transcript` heard within `heard_ms`, and how that is known."""
        if heard_ms >= self.sent_ms and all(segment.end_ms is not None for segment in self._segments):
            return self._said(transcript), "all"
        if self._words:
            return self._prefix_by_words(transcript, heard_ms), "word_times"
        return self._prefix_by_proportion(transcript, heard_ms), "proportional"

    def _said(self, transcript: str) -> str:
        """The transcript as far as it was given a voice; all of it when nobody told the segments."""
        if not self._segments:
            return transcript
        return transcript[: self._after(transcript, self._segments)]

    def _prefix_by_words(self, transcript: str, heard_ms: float) -> str:
        cursor = 0
        folded = transcript.casefold() if len(transcript.casefold()) == len(transcript) else transcript
        for text, end_ms in self._words:
            word = text.strip().casefold()
            found = folded.find(word, cursor)
            if end_ms > heard_ms:
                break
            if found >= 0:
                cursor = found + len(word)
        marks = _TRAILING_MARKS.match(transcript, cursor) if cursor else None
        return transcript[: marks.end() if marks else cursor]

    def _prefix_by_proportion(self, transcript: str, heard_ms: float) -> str:
        if not self._segments:
            whole = _Segment(transcript, 0.0, self.sent_ms if self._finished else None)
            return transcript[: _cut(whole, heard_ms)]
        ended = [one for one in self._segments if one.end_ms is not None and one.end_ms <= heard_ms]
        cursor = self._after(transcript, ended)
        if len(ended) == len(self._segments):
            return transcript[:cursor]
        current = self._segments[len(ended)]
        found = max(transcript.find(current.text, cursor), cursor)
        characters = _cut(current, heard_ms)
        return transcript[: found + characters] if characters else transcript[:cursor]

    @staticmethod
    def _after(transcript: str, segments: list[_Segment]) -> int:
        """Where the last of these segments ends in the transcript."""
        cursor = 0
        for segment in segments:
            found = transcript.find(segment.text, cursor)
            cursor = (found if found >= 0 else cursor) + len(segment.text)
        return min(cursor, len(transcript))


def _cut(segment: _Segment, heard_ms: float) -> int:
    """How many characters of the segment were heard, cut back to the end of a word."""
    played_ms = max(0.0, heard_ms - segment.start_ms)
    length = len(segment.text)
    if segment.end_ms is None:
        share = int(played_ms * _TYPICAL_CHARACTERS_PER_MS)
    else:
        share = int(length * played_ms / max(segment.end_ms - segment.start_ms, 1.0))
    if share >= length:
        return length
    return max(segment.text.rfind(" ", 0, share + 1), 0)
