"""Who is told what happened. The core does not know that metrics, records or traces exist; it tells its observers.

Observers are called in the order given, in the event loop, and must not block or raise.
"""

from typing import Protocol

from policies import Attempt, Decision, Facts

from .record import Record


class Observer(Protocol):
    """A listener. Inherit from `Silent` to implement only some of them."""

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """A plan was made for a request that will be called (never for explain)."""
        ...

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """A unit met a variant: told once per request, when the first call of a router's plan goes out."""
        ...

    def on_attempt(self, attempt: Attempt, decision: Decision) -> None:
        """One call ended, however it ended."""
        ...

    def on_finish(self, record: Record) -> None:
        """The request is over: answered, refused, interrupted or cancelled. Told exactly once per decision."""
        ...


class Silent:
    """An observer that does nothing: a base for those that listen to a part."""

    def on_decision(self, decision: Decision, facts: Facts) -> None:
        """Nothing."""

    def on_exposure(self, decision: Decision, facts: Facts) -> None:
        """Nothing."""

    def on_attempt(self, attempt: Attempt, decision: Decision) -> None:
        """Nothing."""

    def on_finish(self, record: Record) -> None:
        """Nothing."""
