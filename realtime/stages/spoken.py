"""Speak the lines of an answer over a routed walk; when a voice fails in mid-sentence, the next one takes over.

The next voice begins at the first word that was not spoken to its end. With measured word times audio is passed on word
by word once the line has begun, so that the place is exact and no word is heard twice or lost. Without them the place
is taken from the voice's pace so far, back at a word boundary, and the audio already passed on stays.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from policies import Outcome, Try
from router.upstreams.base import UpstreamFault

from .base import Line, Speaker, SpokenAudio, WordTime
from .routed import Walking

CHARS_PER_MS = 0.0145  # an unhurried voice, until the target's own pace is known


@dataclass(slots=True)
class _Progress:
    """How far the line is: what was passed on, and where the current voice began."""

    text: str
    first: int = 0  # where in the text the current voice began
    begun_ms: float = 0.0  # audio of the voices before
    passed_ms: float = 0.0  # audio of the current voice that was passed on
    passed_chars: int = 0  # of the text it was given, words spoken to the end; exact only with `timed`
    timed: bool = False

    @property
    def rest(self) -> str:
        return self.text[self.first :]


class _WordGate:
    """Passes a timed voice's audio on up to the end of a word; a voice without measured times passes through."""

    def __init__(self, progress: _Progress) -> None:
        self._progress = progress
        self._held = b""
        self._words: list[WordTime] = []
        self._received_ms = 0.0
        self._rate = 0

    def take(self, piece: SpokenAudio) -> SpokenAudio | None:
        """What of the audio so far may go out."""
        progress = self._progress
        if not piece.words and not self._words and not progress.timed:
            progress.passed_ms += piece.duration_ms
            return piece
        progress.timed = progress.timed or bool(piece.words)
        self._rate = piece.sample_rate
        self._held += piece.pcm
        self._words += piece.words
        self._received_ms += piece.duration_ms
        ended = [word for word in self._words if word.end_ms <= self._received_ms + 1]
        return self._release(ended, ended[-1].end_ms, estimated=piece.estimated) if ended else None

    def _release(self, words: list[WordTime], until_ms: float, *, estimated: bool) -> SpokenAudio | None:
        progress = self._progress
        size = min(len(self._held), 2 * round((until_ms - progress.passed_ms) * self._rate / 1000))
        if size <= 0:
            return None
        pcm, self._held = self._held[:size], self._held[size:]
        self._words = self._words[len(words) :]
        progress.passed_ms += size / 2 / self._rate * 1000
        progress.passed_chars = max([progress.passed_chars, *(word.last for word in words)])
        return SpokenAudio(pcm, self._rate, tuple(words), estimated)

    def rest(self) -> SpokenAudio | None:
        """The line ended well: what was held back."""
        return self._release(self._words, self._received_ms, estimated=False) if self._held else None


class SpokenReply:
    """The voice of one answer. Lines are spoken one after the other by the same target until it fails."""

    def __init__(self, walk: Walking, speaker_of: Callable[[Try], Speaker]) -> None:
        self._walk = walk
        self._speaker_of = speaker_of
        self._speaker: Speaker | None = None
        self._pace = CHARS_PER_MS
        self.faults: list[UpstreamFault] = []

    async def say(self, line: Line) -> AsyncGenerator[SpokenAudio, None]:
        """The audio of a line; word times and characters count from its start, whoever speaks them.

        Raises what the walk raises when no target is left. Close the generator to stop.
        """
        progress = _Progress(line.text)
        while progress.rest.strip():
            try:
                async with aclosing(self._voice(replace(line, text=progress.rest), progress)) as pieces:
                    async for piece in pieces:
                        words = tuple(word.moved(progress.begun_ms, progress.first) for word in piece.words)
                        yield replace(piece, words=words)
            except UpstreamFault as fault:
                self._walk.fail(fault)
                self._speaker = None
                self.faults.append(fault)
                self._move_on(progress)
                continue
            self._learn(progress)
            return

    async def _voice(self, line: Line, progress: _Progress) -> AsyncGenerator[SpokenAudio, None]:
        """One target's audio for the line, from its first piece on."""
        if self._speaker is None:
            pieces, first = await self._walk.open(lambda step: self._begin(step, line))
            self._walk.first_token()
        else:
            pieces, first = self._speaker.speak(line), None
        gate = _WordGate(progress)
        try:
            if first is not None and (out := gate.take(first)) is not None:
                yield out
            async for piece in pieces:
                if (out := gate.take(piece)) is not None:
                    yield out
            if (out := gate.rest()) is not None:
                yield out
        finally:
            await _close(pieces)

    async def _begin(self, step: Try, line: Line) -> tuple[AsyncIterator[SpokenAudio], SpokenAudio | None]:
        speaker = self._speaker_of(step)
        pieces = speaker.speak(line)
        try:
            first = await anext(pieces, None)
        except BaseException:
            await _close(pieces)
            raise
        self._speaker = speaker
        return pieces, first

    def _move_on(self, progress: _Progress) -> None:
        """The next voice begins at the first unspoken word."""
        rest = progress.rest
        if progress.timed:
            last = progress.passed_chars
        else:
            last = min(len(rest), int(progress.passed_ms * self._pace))
            while 0 < last < len(rest) and not rest[last].isspace():
                last -= 1
        progress.first += last
        progress.begun_ms += progress.passed_ms
        progress.passed_ms, progress.passed_chars, progress.timed = 0.0, 0, False

    def _learn(self, progress: _Progress) -> None:
        if progress.passed_ms > 500:
            self._pace = len(progress.rest) / progress.passed_ms

    def finish(self, outcome: Outcome = Outcome.SUCCESS) -> None:
        """The answer is spoken, or was interrupted."""
        if self._speaker is not None:
            self._speaker = None
            self._walk.settle(outcome)


async def _close(pieces: AsyncIterator[SpokenAudio]) -> None:
    closing = getattr(pieces, "aclose", None)  # a port may return any iterator; generators hold a connection
    if closing is not None:
        await closing()
