"""The sound of a session's items, for a client that retrieves one: what was heard of the user, what was spoken to it.

Bounded for the whole session: the oldest sounds go first, and a sound that is larger than the bound is not kept at all.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .audio.formats import Encoding, encode
from .audio.resample import resample
from .protocol import AudioFormat, AudioPart, Item, Message
from .stages.base import HEARING_RATE

HEARD = AudioFormat("pcm16", HEARING_RATE)


@dataclass(slots=True)
class _Recording:
    """One item's sound in pieces of `form`; not `whole` any more once a piece did not fit."""

    form: AudioFormat
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = True


class Recordings:
    """Of one session."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._kept: dict[str, _Recording] = {}
        self.size = 0

    def add(self, item_id: str, audio: bytes, form: AudioFormat = HEARD) -> None:
        """More sound of an item. Sound in another format than the beginning begins anew."""
        found = self._kept.get(item_id)
        if found is None or found.form != form:
            self.drop(item_id)
            found = self._kept[item_id] = _Recording(form)
        if found.whole and found.size + len(audio) <= self.limit_bytes:
            found.pieces.append(audio)
            found.size += len(audio)
            self.size += len(audio)
        elif found.whole:
            self.size -= found.size
            self._kept[item_id] = _Recording(form, whole=False)
        while self.size > self.limit_bytes:
            self.drop(next(iter(self._kept)))

    def drop(self, item_id: str) -> None:
        """The item is gone. May be repeated."""
        found = self._kept.pop(item_id, None)
        if found is not None:
            self.size -= found.size

    def with_sound(self, item: Item, form: AudioFormat) -> Item:
        """The item with its sound, if that was kept: heard sound in `form`, spoken sound as it was sent.

        Of a reply that was truncated only the part that the item still stands for.
        """
        found = self._kept.get(item.id)
        if found is None or not found.whole or not isinstance(item, Message):
            return item
        sound = b"".join(found.pieces)
        if found.form == HEARD:
            sound = _written(sound, form)
        content = tuple(
            replace(part, audio=_still(sound, part, item, found.form) or None)
            if isinstance(part, AudioPart) and part.audio is None
            else part
            for part in item.content
        )
        return replace(item, content=content)


def _written(heard: bytes, form: AudioFormat) -> bytes:
    samples = np.frombuffer(heard, dtype="<i2")
    return encode(resample(samples, HEARING_RATE, form.rate), Encoding(form.kind))


def _still(sound: bytes, part: AudioPart, item: Message, form: AudioFormat) -> bytes:
    if item.role != "assistant":
        return sound
    return sound[: round(part.duration_ms * form.rate / 1000) * form.bytes_per_sample]
