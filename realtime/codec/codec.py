"""The front of the codec: one object per connection, one dialect, both directions."""

from collections.abc import Callable

from realtime.protocol import ClientEvent, ServerEvent

from .decode import Decoder
from .dialect import Dialect
from .encode import Encoder


class Codec:
    """Decodes frames of one connection, encodes its events. `event_ids()` gives a fresh event id."""

    def __init__(self, dialect: Dialect, *, event_ids: Callable[[], str]) -> None:
        self.dialect = dialect
        self._decoder = Decoder(dialect)
        self._encoder = Encoder(dialect, event_ids)

    def decode(self, frame: str | bytes | bytearray, *, at_ms: float = 0.0) -> ClientEvent:
        """Read one text frame. Never raises: a refused frame becomes `Malformed`, to be handed to the machine."""
        return self._decoder.decode(frame, at_ms)

    def encode(self, event: ServerEvent) -> bytes | None:
        """One text frame (UTF-8 JSON), or None when this dialect does not know such an event."""
        return self._encoder.encode(event)
