"""The public class of the library: decide, explain, complete, stream, pass through; one state, swapped whole."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from policies import Decision, Facts, Try

from .observers import Observer
from .record import Record
from .upstreams.base import Upstream

T = TypeVar("T")


class Table(Protocol):
    """What decides. Pure: the same facts give the same decision."""

    def decide(self, facts: Facts) -> Decision:
        """The decision and its plan."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """Everything a request needs that a reload may change: swapped as one value."""

    table: Table
    upstreams: Mapping[str, Upstream]  # by provider
    configuration_hash: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a request beside its document."""

    request_id: str | None = None
    key_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # allow-listed, passed on to the provider
    forced_variant: str | None = None
    protocol: Literal["chat", "realtime"] = "chat"
    voice: Mapping[str, Any] = field(default_factory=dict)


NOBODY = Caller()


@dataclass(slots=True)
class Completion:
    """A whole answer. `body` is ready to be sent, with `metadata` in it where the body is a JSON object."""

    status: int
    body: bytes
    record: Record
    content_type: str = "application/json"

    @property
    def document(self) -> dict[str, Any]:
        """The body, parsed."""
        raise NotImplementedError


class Stream:
    """A streamed answer whose first meaningful delta has arrived."""

    record: Record

    async def read(self) -> bytes:
        """SSE bytes ready for the client: whole events, what arrived together comes together; b"" at the end.

        Never raises for an upstream's fault: that becomes one error event without `[DONE]`, and then the end.
        """
        raise NotImplementedError

    def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The chunks, parsed, without `[DONE]`. Raises Refusal for an interruption."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop reading: cuts the upstream at once (cancelled_by_client) when the end was not reached. Repeatable."""
        raise NotImplementedError


class Router:
    """Facts -> Decision -> Plan -> attempts -> record, for every kind of call."""

    def __init__(self, state: State, *, observers: Sequence[Observer] = ()) -> None:
        self.state = state
        self.observers = list(observers)

    @classmethod
    def from_file(cls, path: str | Path, *, observers: Sequence[Observer] = ()) -> "Router":
        """Build from a server file. Raises the configuration's own error, with file, line and column."""
        raise NotImplementedError

    @classmethod
    def from_environment(cls, *, observers: Sequence[Observer] = ()) -> "Router":
        """Build from RR_CONFIG, or without any file from the provider keys in the environment."""
        raise NotImplementedError

    def replace(self, state: State) -> None:
        """Swap the state; requests in flight keep the old one."""
        self.state = state

    def decide(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Decision:
        """The decision for a chat document; nothing is called or counted. Raises Refusal."""
        raise NotImplementedError

    def explain(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> dict[str, Any]:
        """Decision and plan as JSON (the answer of POST /v1/router/explain). Raises Refusal."""
        raise NotImplementedError

    async def complete(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Completion:
        """A chat completion as one JSON answer. Raises Refusal (with record) when nobody answered."""
        raise NotImplementedError

    async def stream(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Stream:
        """A chat completion as a stream; returns when the first meaningful delta is there. Raises Refusal."""
        raise NotImplementedError

    async def passthrough(
        self,
        path: str,
        body: bytes,
        document: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        model: str | None = None,
        caller: Caller = NOBODY,
    ) -> Completion:
        """Any other OpenAI call (embeddings, moderations, audio, images, completions) under the same plan and record.

        `document` is the parsed body where it is JSON; else `model` says who is asked (read from the form).
        `metadata` goes only into answers that are JSON objects. Raises Refusal.
        """
        raise NotImplementedError

    async def run(
        self, facts: Facts, call: Callable[[Try], Awaitable[T]], *, kind: str, caller: Caller = NOBODY
    ) -> tuple[T, Record]:
        """Walk a plan for a call of another kind (STT, TTS, sessions): same decision, same walk, same record.

        `call` makes one attempt and raises UpstreamFault when it fails. Raises Refusal (with record).
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """Release the upstreams."""
        raise NotImplementedError
