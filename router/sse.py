"""Server-sent events as the WHATWG standard reads them: bytes in any slicing, payloads out.

LF, CR and CRLF end lines, a BOM in front is dropped, several data lines are joined by LF, comments and the other fields
are passed over, bytes that are not UTF-8 become U+FFFD. What arrives as whole `data: ...` events is only split.
"""

MAX_EVENT_BYTES = 4 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventTooLong(ValueError):  # noqa: N818  it is what it says
    """An event (or a line) is longer than the cap."""


class EventReader:
    """Feed it bytes, get the data of each event that is complete."""

    __slots__ = ("_after_cr", "_begun", "_data", "_line", "_size")

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that is not yet complete
        self._size = 0  # bytes held back: pieces and data lines
        self._data: list[bytes] = []  # data lines of the event that is not yet complete
        self._after_cr = False  # the last byte was a CR: a LF that follows belongs to it
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of every event completed by these bytes. Raises EventTooLong."""
        fresh = not (self._size or self._data or self._after_cr)
        if fresh and len(chunk) <= MAX_EVENT_BYTES and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            plain = _split(chunk)
            if plain is not None:
                self._begun = True
                return plain
        return self._lines(chunk)

    def end(self) -> list[bytes]:
        """The clean end of the stream: an event whose blank line never came still counts."""
        events: list[bytes] = []
        if self._line:
            self._field(b"".join(self._line))
            self._line = []
        self._dispatch(events)
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        if not self._begun:
            chunk = self._opening(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        events: list[bytes] = []
        if not chunk:
            return events
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = chunk.split(b"\n")
        self._hold(first)
        for following in rest:
            line = b"".join(self._line)
            self._line.clear()
            if line:
                self._field(line)
            else:
                self._dispatch(events)
            self._hold(following)
        return events

    def _opening(self, chunk: bytes) -> bytes:
        """Drop a BOM at the very beginning, however it is sliced."""
        opening = b"".join(self._line) + chunk
        self._line.clear()
        self._size = 0
        if len(opening) < len(_BOM) and _BOM.startswith(opening):
            self._hold(opening)
            return b""
        self._begun = True
        return opening.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._size += len(piece)
            if self._size > MAX_EVENT_BYTES:
                raise EventTooLong(f"an event is longer than {MAX_EVENT_BYTES} bytes")
            self._line.append(piece)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        else:
            self._size -= len(line)

    def _dispatch(self, events: list[bytes]) -> None:
        if self._data:
            payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._data = []
            if payload:
                events.append(_as_utf8(payload))
        self._size = 0


def event(payload: bytes) -> bytes:
    """One payload as an event."""
    if b"\n" in payload:
        payload = payload.replace(b"\n", b"\ndata: ")
    return b"data: %b\n\n" % payload


def _split(chunk: bytes) -> list[bytes] | None:
    """Payloads of a chunk made of nothing but one-line data events, else None."""
    if not chunk.startswith(b"data: "):
        return None
    if not chunk.isascii():
        try:
            chunk.decode()
        except UnicodeDecodeError:
            return None
    payloads = chunk[6:-2].split(b"\n\ndata: ")
    for payload in payloads:
        if b"\n" in payload or not payload:
            return None
    return payloads


def _as_utf8(payload: bytes) -> bytes:
    if payload.isascii():
        return payload
    try:
        payload.decode()
    except UnicodeDecodeError:
        return payload.decode("utf-8", "replace").encode()
    return payload
