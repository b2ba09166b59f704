"""How far a text has been spoken, over one voice after another, so that the next one neither repeats nor drops a word.

With measured word times audio is passed on word by word: the next voice begins exactly at the first word that was not
passed on whole. Without them audio passes as it comes, and the place is taken from the voice's pace, back at a word
boundary. Times and characters that leave here count from the beginning of the text, whoever speaks.
"""

from .base import SpokenAudio, WordTime

CHARS_PER_MS = 0.0145  # an unhurried voice, while nothing better is known


class Said:
    """One text being spoken. For each voice: `begin`, `take` every piece, `end` when it came to its end."""

    __slots__ = (
        "_before_ms",
        "_first",
        "_held",
        "_passed_chars",
        "_received_ms",
        "_timed",
        "_words",
        "passed_ms",
        "text",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.passed_ms = 0.0  # audio of the current voice that was passed on
        self._first = 0  # where in the text the current voice began
        self._before_ms = 0.0  # audio of the voices before
        self._clear()

    def _clear(self) -> None:
        self.passed_ms = self._received_ms = 0.0
        self._passed_chars = 0
        self._held = b""
        self._words: list[WordTime] = []
        self._timed = False

    def begin(self) -> str:
        """A voice begins: what it has to say, empty when all is said. What the voice before held back is dropped."""
        rest = self.text[self._first :]
        last = self._passed_chars
        if not self._timed:
            last = min(len(rest), int(self.passed_ms * CHARS_PER_MS))
            while 0 < last < len(rest) and not rest[last].isspace():
                last -= 1
        self._first += last
        self._before_ms += self.passed_ms
        self._clear()
        stripped = self.text[self._first :].lstrip()
        self._first = len(self.text) - len(stripped)
        return stripped

    def take(self, piece: SpokenAudio) -> SpokenAudio | None:
        """What may be passed on now that the current voice has made this piece."""
        if not piece.words and not self._timed:
            self.passed_ms += piece.duration_ms
            return piece
        self._timed = True
        self._held += piece.pcm
        self._words += piece.words
        self._received_ms += piece.duration_ms
        ended = [word for word in self._words if word.end_ms <= self._received_ms + 1]
        return self._release(piece, len(ended), ended[-1].end_ms) if ended else None

    def end(self, piece: SpokenAudio | None) -> SpokenAudio | None:
        """The voice has said everything, `piece` was its last: what was held back."""
        return self._release(piece, len(self._words), self._received_ms) if self._held and piece else None

    def _release(self, piece: SpokenAudio, count: int, until_ms: float) -> SpokenAudio | None:
        size = min(len(self._held), 2 * round((until_ms - self.passed_ms) * piece.sample_rate / 1000))
        words, self._words = self._words[:count], self._words[count:]
        self._passed_chars = max([self._passed_chars, *(word.last for word in words)])
        moved = tuple(word.moved(self._before_ms, self._first) for word in words)
        pcm, self._held = self._held[: max(0, size)], self._held[max(0, size) :]
        self.passed_ms += len(pcm) / 2 / piece.sample_rate * 1000
        return SpokenAudio(pcm, piece.sample_rate, moved, piece.estimated) if pcm or moved else None
