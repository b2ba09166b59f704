"""The wire names of the proxy's own answers: headers that sum up a record, SSE frames."""

import time
from functools import lru_cache

from router.cost import cost_usd, lost_usd, tokens_of
from router.cycle import header_lines
from router.figures import milliseconds
from router.record import Record

from .exchange import Header, encode_headers, printable
from .limits import Permit, quota_headers

EVENT_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
PING = b": ping\n\n"
PASSED_ON = (
    (b"traceparent", "traceparent"),
    (b"tracestate", "tracestate"),
)  # request headers a provider may see; everything else stays here


def sse_event(body: bytes) -> bytes:
    """One server-sent event around one line of JSON."""
    return b"data: " + body + b"\n\n"


def summary(record: Record, *, started_s: float, serving: str | None = None, running_s: float = 0.0) -> bytes:
    """`x-rr-*`, `server-timing` and `openai-processing-ms` as known now (a stream's last chunk has the truth).

    Header lines as they go over the wire. `serving` names the target of an attempt that still runs, for `running_s`
    now: that time is not our own.
    """
    decision, attempts = record.decision, record.attempts
    total_s = time.monotonic() - started_s
    upstream_s = running_s
    for attempt in attempts:
        upstream_s += attempt.ended_s - attempt.started_s
    own_ms = milliseconds(total_s - upstream_s)
    model = serving or (attempts[-1].target.name if attempts else None)
    lines = (
        f"x-rr-attempts: {len(attempts) + (serving is not None)}\r\n"
        f"x-rr-overhead-ms: {own_ms}\r\n"
        f"server-timing: total;dur={milliseconds(total_s)}, upstream;dur={milliseconds(upstream_s)}, "
        f"router;dur={own_ms}\r\n"
        f"openai-processing-ms: {int(total_s * 1000 + 0.5)}\r\n"
    ).encode() + _names(decision.route_id, decision.variant_id, model)
    cost = cost_of(record)
    if cost is not None:
        lines += b"x-rr-cost-usd: %b\r\n" % (b"%.9f" % cost).rstrip(b"0").rstrip(b".")
    return lines


@lru_cache(1024)
def _names(route_id: str | None, variant_id: str | None, model: str | None) -> bytes:
    provider = None if model is None else model.partition("/")[0]
    named = (
        (b"x-rr-route", route_id),
        (b"x-rr-variant", variant_id),
        (b"x-rr-model", model),
        (b"x-rr-provider", provider),
    )
    return header_lines([(name, printable(value)) for name, value in named if value is not None])


@lru_cache(256)
def content_type_line(content_type: str) -> bytes:
    """The header line of a provider's content type."""
    return header_lines([(b"content-type", printable(content_type))])


def total_tokens(record: Record) -> int | None:
    """Tokens used in all, when the provider said so."""
    tokens = tokens_of(record.usage)
    return tokens.input + tokens.output if tokens is not None else None


def cost_of(record: Record) -> float | None:
    """List price of the answer, and of calls that lost a race to it; None without a price or a usage."""
    served = record.served
    if served is None or served.target.prices is None:
        return None
    tokens = tokens_of(record.usage)
    cost = cost_usd(served.target.prices, tokens)
    return cost + lost_usd(record.attempts, tokens) if cost is not None else None


def permit_headers(permit: Permit) -> list[Header]:
    """`x-ratelimit-*` of a permit."""
    if permit.requests is None and permit.tokens is None:
        return []
    return encode_headers(quota_headers(permit.requests, permit.tokens))
