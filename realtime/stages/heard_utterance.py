"""Hear one utterance over a routed walk: the audio is kept, and replayed to the next target when one fails."""

from collections.abc import Callable

from policies import Outcome, Try
from router.upstreams.base import UpstreamFault

from .base import HEARING_RATE, Hearing, Transcriber, Transcript, Utterance
from .routed import Walking

MAX_BYTES = 10 * 60 * HEARING_RATE * 2
REPLAY_BYTES = HEARING_RATE * 2  # a second at a time


class RoutedHearing:
    """One utterance. Audio may be fed from the beginning, also before `open` has returned."""

    def __init__(self, walk: Walking, transcriber_of: Callable[[Try], Transcriber], utterance: Utterance) -> None:
        self._walk = walk
        self._transcriber_of = transcriber_of
        self._utterance = utterance
        self._audio = bytearray()
        self._hearing: Hearing | None = None
        self._fault: UpstreamFault | None = None
        self.faults: list[UpstreamFault] = []

    @property
    def audio_ms(self) -> float:
        """Length of what was fed."""
        return len(self._audio) / 2 / HEARING_RATE * 1000

    async def open(self) -> None:
        """Begin at the first target that accepts. Raises what the walk raises when none does."""
        self._hearing = await self._walk.open(self._begin)

    async def _begin(self, step: Try) -> Hearing:
        """Open at one target and give it everything so far, in pieces."""
        hearing = await self._transcriber_of(step).open(self._utterance)
        try:
            for at in range(0, len(self._audio), REPLAY_BYTES):
                hearing.feed(bytes(self._audio[at : at + REPLAY_BYTES]))
        except UpstreamFault:
            hearing.close()
            raise
        return hearing

    def feed(self, pcm: bytes) -> None:
        """More audio. Never blocks and never fails: a failing target is replaced at the next `peek` or `finish`."""
        if len(self._audio) + len(pcm) > MAX_BYTES:
            return  # ten minutes without a pause are no utterance; what there is will be heard
        self._audio += pcm
        if self._hearing is None or self._fault is not None:
            return
        try:
            self._hearing.feed(pcm)
        except UpstreamFault as fault:
            self._fault = fault

    async def peek(self) -> Transcript | None:
        """The text if the utterance ended here; None when the target cannot tell or has just failed."""
        if self._hearing is None or self._fault is not None:
            return None
        try:
            return await self._hearing.peek()
        except UpstreamFault as fault:
            self._fault = fault
            return None

    async def finish(self) -> Transcript:
        """End the utterance; a failed target is followed by the next. Raises what the walk raises when none is left."""
        while True:
            if self._hearing is not None and self._fault is not None:
                self._give_up(self._fault)
            if self._hearing is None:
                await self.open()
            hearing = self._hearing
            assert hearing is not None  # noqa: S101  opened just now
            try:
                transcript = await hearing.finish()
            except UpstreamFault as fault:
                self._fault = fault
                continue
            self._walk.first_token()
            self._walk.settle(Outcome.SUCCESS)
            self._hearing = None
            return transcript

    def _give_up(self, fault: UpstreamFault) -> None:
        if self._hearing is not None:
            self._hearing.close()
        self._walk.fail(fault)
        self.faults.append(fault)
        self._hearing, self._fault = None, None

    def accept(self) -> None:
        """The peeked text is taken as final: no more is asked of the target."""
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = None
            self._walk.settle(Outcome.SUCCESS)

    def close(self) -> None:
        """Drop the utterance."""
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = None
            self._walk.settle(Outcome.CANCELLED_BY_CLIENT)
