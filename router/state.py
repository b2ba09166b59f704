"""The values around a router: the state a reload swaps, who asks, what is passed through, what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from policies import CooldownRule, Decision, Facts, RoutingOptions
from policies.frozen import frozen

from .record import Record
from .upstreams.base import Upstream


class Table(Protocol):
    """What decides. Pure: the same facts give the same decision."""

    def decide(self, facts: Facts) -> Decision:
        """The decision and its plan."""
        ...

    def serves(self, model: str) -> bool:
        """Whether a model string means anything here."""
        ...

    def fluid(self, model: str, kind: str, options: RoutingOptions, /) -> bool:
        """Whether it may matter who answered the conversation lately."""
        ...


class Guesses(Protocol):
    """What infers variables that a condition asks for and the caller did not send."""

    def prepare(self) -> None:
        """Load what guessing needs. Blocks: call it in a thread, or let the first guess wait."""
        ...

    def informed(self, facts: Facts) -> tuple[Facts, Mapping[str, Mapping[str, Any]]]:
        """The facts with what could be inferred, and for each variable its value, confidence and cost."""
        ...


@frozen
class State:
    """Everything a request needs that a reload may change: swapped as one value."""

    table: Table
    upstreams: Mapping[str, Upstream]  # by provider
    configuration_hash: str = ""
    cooldown: CooldownRule = CooldownRule()
    guesses: Guesses | None = None  # set when a router asks for `intent` or `language`
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)  # settings an upstream was built from


@frozen
class Caller:
    """What is known of a request beside its document."""

    request_id: str | None = None
    key_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # allow-listed, passed on to the provider
    forced_variant: str | None = None
    protocol: Literal["chat", "realtime"] = "chat"
    voice: Mapping[str, Any] = field(default_factory=dict)


NOBODY = Caller()


@frozen
class Parcel:
    """A call that is passed through. `document` is the parsed body where it is JSON; else `model` says who is asked."""

    path: str  # below /v1
    body: bytes
    document: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    model: str | None = None


@dataclass(slots=True)
class Completion:
    """A whole answer. `body` is ready to be sent, with `metadata` in it where the body is a JSON object."""

    status: int
    body: bytes
    record: Record
    content_type: str = "application/json"

    @property
    def document(self) -> dict[str, Any]:
        """The body, parsed. Raises ValueError when it is not JSON (audio)."""
        document: dict[str, Any] = orjson.loads(self.body)
        return document
