"""A text message too large to be put together in one go: each read of it is unmasked by itself, as it comes."""

from .ws_frames import apply_mask


class LargeText:
    """As far as it has come; `due` bytes are missing."""

    __slots__ = ("_mask", "due", "text")

    def __init__(self, size_bytes: int, mask: bytes) -> None:
        self.text = bytearray()
        self.due = size_bytes
        self._mask = mask

    def take(self, data: bytes, at: int) -> int:
        """Take what a read has of it from here on; where that ends."""
        end = min(len(data), at + self.due)
        turn = len(self.text) % 4
        self.text += apply_mask(data[at:end], self._mask[turn:] + self._mask[:turn])
        self.due -= end - at
        return end
