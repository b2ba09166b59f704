"""The front of the codec: one object per connection."""

from collections.abc import Callable
from enum import StrEnum

from realtime.protocol import ClientEvent, ServerEvent


class Dialect(StrEnum):
    """How events are spelled."""

    GA = "ga"
    BETA = "beta"
    INWORLD = "inworld"


class Codec:
    """Decodes frames of one connection, encodes its events. `event_ids()` gives a fresh event id."""

    def __init__(self, dialect: Dialect, *, event_ids: Callable[[], str]) -> None:
        self.dialect = dialect
        self._event_ids = event_ids

    def decode(self, frame: str | bytes, *, at_ms: float = 0.0) -> ClientEvent:
        """Read one text frame. Never raises: a refused frame becomes `Malformed`, to be handed to the machine."""
        raise NotImplementedError

    def encode(self, event: ServerEvent) -> bytes | None:
        """One text frame (UTF-8 JSON), or None when this dialect does not know such an event."""
        raise NotImplementedError
