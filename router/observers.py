"""Who is told what happened. The core does not know that metrics, records or traces exist; it tells its observers.

Observers are called in the order given, in the event loop, and must not block or raise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies import Attempt, Decision, Facts, Try

from .record import Record


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A request that was refused before a decision was made: nothing of it but where it went and why not.

    `count` of them, alike, where too many came to tell of each.
    """

    status: int
    code: str | None
    method: str
    path: str
    request_id: str | None = None
    count: int = 1


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

    def on_turned_away(self, refused: TurnedAway) -> None:
        """A request was refused at the door: bad input, no key, too much, unknown model. No decision was told."""
        ...


class Trace(Protocol):
    """One request being traced."""

    def begin(self, step: Try) -> None:
        """A call goes out."""
        ...

    def headers(self, passed: Mapping[str, str]) -> Mapping[str, str]:
        """What to send with the call under way in place of `passed`."""
        ...

    def settle(self, attempt: Attempt) -> None:
        """The call ended."""
        ...

    def finish(self, record: Record) -> None:
        """The request is over; told before the observers are."""
        ...


class Tracing(Protocol):
    """Follows requests over the borders of processes; unlike an observer it has a say in what is sent."""

    def begin(self, record: Record, facts: Facts, headers: Mapping[str, str]) -> Trace:
        """A request was decided; `headers` are those it may pass on."""
        ...


def heard(observers: Sequence[Observer], event: str) -> tuple[Callable[..., None], ...]:
    """The methods of those who do anything about an event, e.g. `on_attempt`."""
    deaf = getattr(Silent, event)
    return tuple(getattr(one, event) for one in observers if getattr(type(one), event, None) is not deaf)


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

    def on_turned_away(self, refused: TurnedAway) -> None:
        """Nothing."""
