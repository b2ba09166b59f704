"""The wire names of the proxy's own answers: headers that sum up a record, SSE frames."""

import time

from router.cost import cost_usd, lost_usd, tokens_of
from router.record import Record

from .exchange import Header, encode_headers, printable
from .limits import Permit, quota_headers

EVENT_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
PING = b": ping\n\n"
PASSED_ON = ("traceparent", "tracestate")  # request headers a provider may see; everything else stays here


def sse_event(body: bytes) -> bytes:
    """One server-sent event around one line of JSON."""
    return b"data: " + body + b"\n\n"


def summary(record: Record, *, started_s: float, serving: str | None = None, running_s: float = 0.0) -> list[Header]:
    """`x-rr-*`, `server-timing` and `openai-processing-ms` as known now (a stream's last chunk has the truth).

    `serving` names the target of an attempt that still runs, for `running_s` now: that time is not our own.
    """
    decision = record.decision
    total_s = max(0.0, time.monotonic() - started_s)
    upstream_s = sum(max(0.0, attempt.ended_s - attempt.started_s) for attempt in record.attempts) + running_s
    own_ms = max(0.0, total_s - upstream_s) * 1000
    timing = f"total;dur={total_s * 1000:.3f}, upstream;dur={upstream_s * 1000:.3f}, router;dur={own_ms:.3f}"
    headers: list[Header] = [
        (b"x-rr-attempts", b"%d" % (len(record.attempts) + (serving is not None))),
        (b"x-rr-overhead-ms", b"%.3f" % own_ms),
        (b"server-timing", timing.encode()),
        (b"openai-processing-ms", b"%d" % round(total_s * 1000)),
    ]
    if decision.route_id is not None:
        headers.append((b"x-rr-route", printable(decision.route_id)))
    if decision.variant_id is not None:
        headers.append((b"x-rr-variant", printable(decision.variant_id)))
    last = record.served or (record.attempts[-1] if record.attempts else None)
    model = serving or (last.target.name if last is not None else None)
    if model is not None:
        headers.append((b"x-rr-model", printable(model)))
        headers.append((b"x-rr-provider", printable(model.partition("/")[0])))
    cost = cost_of(record)
    if cost is not None:
        headers.append((b"x-rr-cost-usd", (b"%.9f" % cost).rstrip(b"0").rstrip(b".")))
    return headers


def total_tokens(record: Record) -> int | None:
    """Tokens used in all, when the provider said so."""
    tokens = tokens_of(record.usage)
    return tokens.input + tokens.output if tokens is not None else None


def cost_of(record: Record) -> float | None:
    """List price of the answer, and of calls that lost a race to it; None without a price or a usage."""
    served, tokens = record.served, tokens_of(record.usage)
    cost = cost_usd(served.target.prices, tokens) if served is not None else None
    return cost + lost_usd(record.attempts, tokens) if cost is not None else None


def permit_headers(permit: Permit) -> list[Header]:
    """`x-ratelimit-*` of a permit."""
    if permit.requests is None and permit.tokens is None:
        return []
    return encode_headers(quota_headers(permit.requests, permit.tokens))
