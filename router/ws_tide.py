"""Reads of many WebSockets, looked at together: one waking for fifty of them, where each would cost one of its own.

The more members a tide has, the longer what they send may gather before they are all told to look at it; few of them
look at once. Whatever is done with what was read then happens at one moment for all of them. Who waits for something
in particular does not let it gather: that is the member's own business.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

# How long reads gather, from so many members on. Most members first.
GATHER_S = ((24, 0.020), (8, 0.010), (0, 0.0))


class Member(Protocol):
    """Someone with something to look at."""

    def catch_up(self) -> None:
        """Look at what has gathered."""
        ...


class Tide:
    """The members of one event loop."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        """`later(seconds, callback)`: the loop's `call_later`."""
        self._later = later
        self._members = 0
        self._ready: list[Member] = []
        self.wait_s = 0.0

    def change(self, by: int) -> None:
        """So many members more."""
        self._members += by
        self.wait_s = next(wait_s for least, wait_s in GATHER_S if self._members >= least)

    def add(self, member: Member) -> None:
        """This member has something to look at. To be said once, until it is told to."""
        self._ready.append(member)
        if len(self._ready) == 1:
            self._later(self.wait_s, self._turn)

    def _turn(self) -> None:
        ready, self._ready = self._ready, []
        _tell(iter(ready))


def _tell(members: Iterator[Member]) -> None:
    """One that raises must not cost the others their turn."""
    over = False
    try:
        for member in members:
            member.catch_up()
        over = True
    finally:
        if not over:
            _tell(members)
