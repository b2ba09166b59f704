"""The wire names of the proxy's own answers: headers that sum up a record, SSE frames."""

import time
from functools import lru_cache

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
PASSED_ON = (
    (b"traceparent", "traceparent"),
    (b"tracestate", "tracestate"),
)  # request headers a provider may see; everything else stays here


def sse_event(body: bytes) -> bytes:
    """One server-sent event around one line of JSON."""
    return b"data: " + body + b"\n\n"


def summary(record: Record, *, started_s: float, serving: str | None = None, running_s: float = 0.0) -> list[Header]:
    """`x-rr-*`, `server-timing` and `openai-processing-ms` as known now (a stream's last chunk has the truth).

    `serving` names the target of an attempt that still runs, for `running_s` now: that time is not our own.
    """
    decision = record.decision
    total_ms = (time.monotonic() - started_s) * 1000
    upstream_s = running_s
    for attempt in record.attempts:
        upstream_s += attempt.ended_s - attempt.started_s
    upstream_ms = upstream_s * 1000
    own_ms = total_ms - upstream_ms
    own_ms = max(own_ms, 0.0)
    timing = f"total;dur={total_ms:.3f}, upstream;dur={upstream_ms:.3f}, router;dur={own_ms:.3f}"
    headers: list[Header] = [
        (b"x-rr-attempts", str(len(record.attempts) + (serving is not None)).encode()),
        (b"x-rr-overhead-ms", timing[timing.rindex("=") + 1 :].encode()),
        (b"server-timing", timing.encode()),
        (b"openai-processing-ms", str(round(total_ms)).encode()),
    ]
    model = serving or (record.attempts[-1].target.name if record.attempts else None)
    headers += _names(decision.route_id, decision.variant_id, model)
    cost = cost_of(record)
    if cost is not None:
        headers.append((b"x-rr-cost-usd", (b"%.9f" % cost).rstrip(b"0").rstrip(b".")))
    return headers


@lru_cache(1024)
def _names(route_id: str | None, variant_id: str | None, model: str | None) -> tuple[Header, ...]:
    provider = None if model is None else model.partition("/")[0]
    named = (
        (b"x-rr-route", route_id),
        (b"x-rr-variant", variant_id),
        (b"x-rr-model", model),
        (b"x-rr-provider", provider),
    )
    return tuple((name, printable(value)) for name, value in named if value is not None)


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
