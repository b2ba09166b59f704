"""What the client has said and the upstream has not answered for: frames in order, sound among them, bounded.

An answer takes its frame away; whatever is left when the upstream dies is said again to the next one. Sound waits here
until it is committed to an item, the latest of it in a ring.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .frames import size_of, sound_in

RING_BYTES = 4 * 1024 * 1024  # of frames while somebody speaks: a minute of 24 kHz samples
REST_BYTES = 384 * 1024  # while nobody does, as the upstream's detector says: six seconds
MOST_FRAMES = 256  # that are no sound
MOST_BYTES = 32 * 1024 * 1024
APPEND, COMMIT, CLEAR = "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """A frame. Of sound, where in all the sound of this upstream it begins."""

    kind: str
    frame: bytes
    event_id: str | None = None
    item_id: str | None = None
    at_bytes: int = 0
    size_bytes: int = 0


class Tail:
    """Frames not yet answered for."""

    def __init__(self) -> None:
        self._said: deque[Said] = deque()
        self._end_bytes = 0  # of all the sound so far
        self._ring_bytes = 0
        self._others = 0
        self._other_bytes = 0
        self.lost_bytes = 0  # sound that had to be let go, unheard
        self.rests = False  # nobody speaks: what goes is silence, and no loss

    def sound(self, frame: bytes) -> None:
        """More of what the user says."""
        size = size_of(sound_in(frame, b"audio"))
        self._said.append(Said(APPEND, frame, at_bytes=self._end_bytes, size_bytes=size))
        self._end_bytes += size
        self._ring_bytes += len(frame)
        most = REST_BYTES if self.rests else RING_BYTES
        while self._ring_bytes > most and self._ring_bytes > len(frame):
            oldest = next(one for one in self._said if one.kind == APPEND)
            self._take(oldest)
            self.lost_bytes += 0 if self.rests else oldest.size_bytes

    def say(self, kind: str, frame: bytes, event_id: str | None, item_id: str | None = None) -> None:
        """Anything else that will be answered for."""
        self._said.append(Said(kind, frame, event_id, item_id))
        self._others += 1
        self._other_bytes += len(frame)
        while self._others > 1 and (self._others > MOST_FRAMES or self._other_bytes > MOST_BYTES):
            self._take(next(one for one in self._said if one.kind != APPEND))

    def answered(self, kind: str, *, item_id: str | None = None) -> Said | None:
        """The oldest frame of a kind has its answer: about this item, where the client named one."""
        for one in self._said:
            if one.kind == kind and (one.item_id is None or item_id is None or one.item_id == item_id):
                self._take(one)
                return one
        return None

    def refused(self, event_id: str) -> Said | None:
        """An error answers for the frame with this id."""
        for one in self._said:
            if one.event_id == event_id:
                self._take(one)
                return one
        return None

    def waits(self, kind: str) -> bool:
        """Whether such a frame has no answer yet."""
        return self._others > 0 and any(one.kind == kind for one in self._said)

    def committed(self, start_bytes: float, end_bytes: float) -> Sequence[bytes]:
        """The sound became an item: as base64, what lies between; what lies before the end is not kept any longer.

        A commit of the client's takes all that was said before it.
        """
        by_hand = next((one for one in self._said if one.kind == COMMIT), None)
        taken: list[bytes] = []
        for one in list(self._said):
            if one is by_hand:
                self._take(one)
                break
            if one.kind == APPEND and (by_hand is not None or one.at_bytes < end_bytes):
                self._take(one)
                if by_hand is not None or one.at_bytes + one.size_bytes > start_bytes:
                    taken.append(sound_in(one.frame, b"audio"))
        return taken

    def cleared(self) -> None:
        """The sound before the client's oldest `clear` is gone, and that frame with it."""
        for one in list(self._said):
            if one.kind in (APPEND, COMMIT, CLEAR):
                self._take(one)
            if one.kind == CLEAR:
                return

    def again(self) -> list[bytes]:
        """Everything, to be said to another upstream: there its sound begins at nought."""
        self._end_bytes = 0
        renewed: deque[Said] = deque()
        for one in self._said:
            renewed.append(Said(one.kind, one.frame, one.event_id, one.item_id, self._end_bytes, one.size_bytes))
            self._end_bytes += one.size_bytes
        self._said = renewed
        return [one.frame for one in renewed]

    def _take(self, one: Said) -> None:
        self._said.remove(one)
        if one.kind == APPEND:
            self._ring_bytes -= len(one.frame)
        else:
            self._others -= 1
            self._other_bytes -= len(one.frame)
