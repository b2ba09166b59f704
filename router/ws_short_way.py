"""An application's way past the queues of its WebSocket, for messages that cannot wait."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .ws_tide import Tide

SHORT_WAY = "router.short_way"  # an extension of the scope; it holds a `ShortWay` under `way`
Taker = Callable[[bytes], bool]  # a text message; False: not taken, let it come through `receive`


class Passable(Protocol):
    """The WebSocket, as far as it has such a way."""

    hurried: bool

    def take_with(self, taker: Taker | None, tide: Tide | None) -> None:
        """See `ShortWay.offer_to`."""
        ...

    def write_texts(self, texts: Sequence[bytes]) -> bool:
        """See `ShortWay.write`."""
        ...


class ShortWay:
    """Of one WebSocket."""

    __slots__ = ("_socket",)

    def __init__(self, socket: Passable) -> None:
        self._socket = socket

    def offer_to(self, taker: Taker | None, tide: Tide | None = None) -> None:
        """Offer each text message to this function first, in order with what `receive` gives. It must not raise.

        Reads are looked at with the `tide`, where there is one.
        """
        self._socket.take_with(taker, tide)

    def hurry(self, now: bool) -> None:  # noqa: FBT001  a switch, and a callback
        """Whether reads of this client are looked at without the tide."""
        self._socket.hurried = now

    def write(self, texts: Sequence[bytes]) -> bool:
        """Send text messages now; False when that cannot be: the client does not read, or the end has begun."""
        return self._socket.write_texts(texts)
