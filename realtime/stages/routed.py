"""What speaking and hearing need of a walk over a plan; the router's `Walk` has this shape."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from policies import Outcome, Try
from router.upstreams.base import UpstreamFault

T = TypeVar("T")


class Walking(Protocol):
    """One request on its way through its plan."""

    async def open(self, call: Callable[[Try], Awaitable[T]]) -> T:
        """Try target after target until `call` returns; that attempt stays open. Raises when the plan is spent."""
        ...

    def first_token(self) -> None:
        """The open attempt has begun to answer."""
        ...

    def fail(self, fault: UpstreamFault) -> None:
        """The open attempt failed."""
        ...

    def settle(self, outcome: Outcome) -> None:
        """The open attempt is over."""
        ...
