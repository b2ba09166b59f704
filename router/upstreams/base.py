"""The port every upstream implements: one call in, an HTTP-shaped OpenAI reply out.

Whatever a provider speaks, above this line an answer is a status, a few headers and a body that is OpenAI JSON, an
OpenAI SSE stream, or audio bytes. Failures below HTTP are raised as `UpstreamFault`; an HTTP error status is a reply.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from policies import ErrorDetail, Outcome, Target, Timeouts


@dataclass(slots=True)
class Call:
    """One attempt about to be made.

    `body` is what goes over the wire (the model name in it is already the target's). `document` is the same JSON,
    parsed, for upstreams that are not HTTP; it is None for bodies that are not JSON (audio uploads).
    """

    target: Target
    path: str  # below the provider's base URL, e.g. "/chat/completions"
    body: bytes
    document: Mapping[str, Any] | None
    stream: bool
    timeouts: Timeouts
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)  # allow-listed, lower case (traceparent, idempotency…)
    credential: str | None = None  # a caller's own key (BYOK) instead of the configured one


class Reply(Protocol):
    """An upstream's answer, being read. Must be closed; closing early closes the connection."""

    idle_s: float  # the longest silence between two pieces; may be changed while the answer is read

    @property
    def status(self) -> int:
        """HTTP status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers with lower-case names; 8-bit and control characters already refused."""
        ...

    async def read(self) -> bytes:
        """Whatever has arrived since the last call, at least one byte, or b"" at the clean end.

        Raises UpstreamFault on reset, truncation, decoding error or when nothing arrives for `idle_s`.
        """
        ...

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """Everything to the end. Raises UpstreamFault beyond `limit_bytes`."""
        ...

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else cut it. Never blocks, may be repeated."""
        ...


async def read_whole(reply: Reply, limit_bytes: int) -> bytes:
    """What is left of a reply, to its end. Closes it and raises UpstreamFault when that is more than `limit_bytes`."""
    pieces: list[bytes] = []
    size = 0
    while piece := await reply.read():
        size += len(piece)
        if size > limit_bytes:
            reply.close()
            raise UpstreamFault(Outcome.MALFORMED_RESPONSE, f"the answer is larger than {limit_bytes} bytes")
        pieces.append(piece)
    return b"".join(pieces)


class Upstream(Protocol):
    """A provider."""

    async def send(self, call: Call) -> Reply:
        """Make the call; return when status and headers are there. Raises UpstreamFault when they never come.

        Cancelling the task that awaits this closes the connection at once.
        """
        ...

    async def aclose(self) -> None:
        """Release pools, processes and files."""
        ...


class UpstreamFault(Exception):  # noqa: N818  a fault of the upstream, our word for it
    """A call that failed: `outcome` is its error class.

    Below HTTP the outcome and a message are all there is; whoever judges an HTTP answer adds the status, the error as
    it may be shown, and how long the provider asked to be left alone.
    """

    def __init__(
        self,
        outcome: Outcome,
        message: str,
        *,
        status_code: int | None = None,
        error: ErrorDetail | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.status_code = status_code
        self.error = error or ErrorDetail(message, code=outcome.value)
        self.retry_after_s = retry_after_s
