"""Steering tags for a voice that follows them: put back where they stood, and at the head of every segment they rule.

A direction (`[say warmly]`) holds until the next one, over segments; a sound (`[laugh]`, `<break/>`) where it stands.
What is spoken is kept without tags elsewhere, so places in the line that a voice tells are led back to those words.
"""

from dataclasses import replace

from .base import SpokenAudio, WordTime
from .speakable import TAGS, speakable

SOUNDS = frozenset({"laugh", "sigh", "breathe", "breath", "clear throat", "cough", "yawn", "gasp", "chuckle", "pause"})


def is_direction(tag: str) -> bool:
    """Whether a tag says how to speak from now on."""
    return tag.startswith("[") and tag[1:-1].strip().lower() not in SOUNDS


def last_direction(source: str) -> str:
    """The direction in force at the end of a text; empty: it says none."""
    directions = [tag for tag in TAGS.findall(source) if is_direction(tag)]
    return directions[-1] if directions else ""


class Steered:
    """One segment for a voice that follows tags. `direction` is in force where the segment begins."""

    def __init__(self, source: str, direction: str = "") -> None:
        self._plain = speakable(source)
        self._tagged = speakable(source, keep_tags=True)
        self._direction = direction
        self._places: list[int] = []  # of each character of the line, in the rest that has no tags
        self.line = ""

    def rest(self, plain_rest: str) -> str:
        """The line for what is left of the segment, with tags. `plain_rest` is the end of the text without tags."""
        first = len(self._plain.text) - len(plain_rest)
        places = {origin: number for number, origin in enumerate(self._plain.origin)}
        begin = 0
        if 0 < first < len(self._plain.origin):
            begin = next(
                number for number, origin in enumerate(self._tagged.origin) if origin >= self._plain.origin[first]
            )
        before = last_direction(self._tagged.text[:begin]) or self._direction
        text = self._tagged.text[begin:]
        opening = TAGS.match(text)
        head = f"{before} " if before and not (opening and is_direction(opening.group())) else ""
        self._places = [0] * len(head)
        for origin in self._tagged.origin[begin:]:
            last = self._places[-1] if self._places else 0
            self._places.append(max(last, places.get(origin, first + last) - first))
        self.line = head + text
        return self.line

    def led_back(self, piece: SpokenAudio) -> SpokenAudio:
        """The piece with its words where they stand in the text without tags; words of a tag are dropped."""
        return replace(piece, words=tuple(self._word(word) for word in piece.words if not self._in_tag(word)))

    def _in_tag(self, word: WordTime) -> bool:
        return any(tag.start() <= word.first < tag.end() for tag in TAGS.finditer(self.line))

    def _word(self, word: WordTime) -> WordTime:
        last = self._places[min(word.last, len(self._places)) - 1] + 1
        return replace(word, first=self._places[word.first], last=last)
