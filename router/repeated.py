"""A request head that a connection has sent before: understood once, recognised by its bytes afterwards.

On a kept connection a client repeats its head, but for the length of the body. Recognised is only what came as one
whole message in one piece: the very bytes that the parser has accepted before, with other digits for the length, and a
body of exactly that length. Everything else is the parser's.
"""

from typing import Any

LONGEST = 8192
_DIGITS = 9


class RepeatedHead:
    """The bytes around the length, and the scope they stand for."""

    __slots__ = ("_after", "_before", "_start", "scope")

    def __init__(self, before: bytes, after: bytes, scope: dict[str, Any]) -> None:
        self._before = before
        self._after = after
        self._start = len(before)
        self.scope = scope

    @classmethod
    def of(cls, data: bytes, scope: dict[str, Any]) -> "RepeatedHead | None":
        """For a message that the parser has just accepted; None when it is none that can be recognised."""
        end = data.find(b"\r\n\r\n", 0, LONGEST) + 4
        low = data[:end].lower()
        place = low.find(b"\r\ncontent-length:")
        if end < 4 or place < 0 or low.count(b"content-length") != 1 or b"transfer-encoding" in low:
            return None
        if b"\r\nexpect" in low or b"\r\nupgrade" in low:
            return None
        start = place + len(b"\r\ncontent-length:")
        start += data[start] == ord(" ")
        made = cls(data[:start], data[data.find(b"\r", start) : end], scope)
        return made if made.body(data) is not None else None

    def body(self, data: bytes) -> bytes | None:
        """The body, when this is the same head and all of its message; else None."""
        start = self._start
        if not data.startswith(self._before):
            return None
        end = data.find(b"\r", start, start + _DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self._after, end):
            return None
        body = data[end + len(self._after) :]
        return body if len(body) == int(digits) else None
