"""Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2). Pure; what a frame means is not asked."""

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

__all__ = ["MASKED", "WHOLE_TEXT", "Head", "apply_mask", "head_at", "text_head"]

WHOLE_TEXT = 0x81  # final, no extension, opcode text
MASKED = 0x80


Head = tuple[int, bool, int, int]  # first byte, whether it is masked, and the bounds of the payload: mask before it


def head_at(chunk: bytes, at: int) -> Head | None:
    """The head that begins at `at`, or None while it is not all there."""
    have = len(chunk) - at
    if have < 2:
        return None
    first, second = chunk[at], chunk[at + 1]
    length, start = second & 0x7F, at + 2
    if length >= 126:
        wide = 2 if length == 126 else 8
        start += wide
        length = int.from_bytes(chunk[at + 2 : start], "big")
    masked = second >= MASKED
    if masked:
        start += 4
    return None if len(chunk) < start else (first, masked, start, start + length)


def text_head(size_bytes: int) -> bytes:
    """The head of an unmasked text frame, as a server sends it."""
    if size_bytes < 126:
        return bytes((WHOLE_TEXT, size_bytes))
    if size_bytes < 65536:
        return b"\x81\x7e" + size_bytes.to_bytes(2, "big")
    return b"\x81\x7f" + size_bytes.to_bytes(8, "big")
