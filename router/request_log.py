"""One line for every request that ended or was turned away: names, figures and error classes, never content."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from .cost import Tokens, cost_usd, tokens_of
from .figures import tenths
from .logs import Line, Queued
from .observers import Silent, TurnedAway
from .record import Record

_logger = logging.getLogger("router.requests")
_house = logging.getLogger("router")
_OWN_ID = re.compile("req_[0-9a-f]{24}")  # as the proxy makes them: no key looks like that


class RequestLog(Silent):
    """Info when answered or cancelled, warning when not.

    Where nobody but our own queue listens, the line is made here and now, without a log record in between.
    """

    def on_finish(self, record: Record) -> None:
        """Log it."""
        level = logging.INFO if (record.status or 0) < 500 else logging.WARNING
        if not _logger.isEnabledFor(level):
            return
        handlers = _house.handlers
        if len(handlers) == 1 and isinstance(handlers[0], Queued) and not (_house.propagate or _logger.handlers):
            queued = handlers[0]
            line = queued.line
            queued.emit(line.event(time.time(), _front(record, line, level), _written(record, line)))
        else:
            _logger.log(level, "request", extra={"fields": {**repeating(record), **figures(record)}})

    def on_turned_away(self, refused: TurnedAway) -> None:
        """Log a refusal at the door."""
        if _logger.isEnabledFor(logging.INFO):
            fields = {
                "request_id": refused.request_id,
                "method": refused.method,
                "path": refused.path[:200],
                "status": refused.status,
                "code": refused.code,
            }
            if refused.request_id is None:
                fields["count"] = refused.count
            _logger.info("request refused", extra={"fields": fields})


def _front(record: Record, line: Line, level: int) -> str:
    """What many requests' lines say alike, written once for all of them."""
    decision, outcome, served = record.decision, record.outcome, record.served
    attempts = record.attempts
    tried = (served.target.name,) if served is not None and len(attempts) == 1 else _tried(record)
    key = (
        record.kind,
        record.status,
        None if outcome is None else outcome._value_,
        decision.requested,
        decision.router,
        decision.route_id,
        decision.variant_id,
        record.streamed,
        record.key_id,
        *tried,
    )
    front = line.fronts.get(key)
    if front is None:
        fields = repeating(record, line.plain)
        front = line.front(key, logging.getLevelName(level), _logger.name, "request", fields)
    return front


def _tried(record: Record) -> tuple[str, ...]:
    return tuple([f"{one.target.name}:{one.outcome._value_}" for one in record.attempts])


def repeating(record: Record, plain: Callable[[str], str] = str) -> dict[str, Any]:
    """The fields of which there are few combinations; what is not known is left out.

    `plain` cleans the texts that clients have a hand in: models, which also name targets.
    """
    decision, served = record.decision, record.served
    fields: dict[str, Any] = {"kind": record.kind}
    if record.status is not None:
        fields["status"] = record.status
    if record.outcome is not None:
        fields["outcome"] = record.outcome._value_
    fields["requested"] = plain(decision.requested[:200])
    if decision.router is not None:
        fields["route"] = f"{decision.router}/{decision.route_id}"
        if decision.variant_id is not None:
            fields["variant"] = decision.variant_id
    if served is not None:
        fields["served"] = plain(served.target.name)
    fields["attempts"] = [plain(one) for one in _tried(record)]
    fields["stream"] = record.streamed
    if record.key_id is not None:
        fields["key_id"] = record.key_id
    return fields


def figures(record: Record, plain: Callable[[str], str] = str) -> dict[str, Any]:
    """The fields that differ from request to request: numbers and ids."""
    served, tokens = record.served, tokens_of(record.usage)
    fields: dict[str, Any] = {}
    if record.ended_s is not None:
        fields["duration_ms"] = round((record.ended_s - record.started_s) * 1000, 1)
    if served is not None and served.first_token_s is not None:
        fields["ttft_ms"] = round((served.first_token_s - record.started_s) * 1000, 1)
    if tokens is not None:
        fields["input_tokens"], fields["output_tokens"] = tokens.input, tokens.output
        cost = _cost_usd(record, tokens)
        if cost is not None:
            fields["cost_usd"] = cost
    if record.request_id is not None:
        fields["request_id"] = _id(record.request_id, plain)
    if record.trace_id is not None:
        fields["trace_id"] = record.trace_id
    fields["generation_id"] = record.generation_id
    return fields


def _written(record: Record, line: Line) -> str:
    """`figures` as the line's own text, without a mapping in between: every request makes one."""
    first, between, after, quote = ('"', ',"', '":', '"') if line.json else ("", " ", "=", "")
    served, tokens = record.served, tokens_of(record.usage)
    words = first
    if record.ended_s is not None:
        words += f"duration_ms{after}{tenths(record.ended_s - record.started_s)}{between}"
    if served is not None and served.first_token_s is not None:
        words += f"ttft_ms{after}{tenths(served.first_token_s - record.started_s)}{between}"
    if tokens is not None:
        words += f"input_tokens{after}{tokens.input}{between}output_tokens{after}{tokens.output}{between}"
        cost = _cost_usd(record, tokens)
        if cost is not None:
            words += f"cost_usd{after}{cost}{between}"
    if record.request_id is not None:
        words += f"request_id{after}{line.word(_id(record.request_id, line.plain))}{between}"
    if record.trace_id is not None:
        words += f"trace_id{after}{quote}{record.trace_id}{quote}{between}"
    return f"{words}generation_id{after}{quote}{record.generation_id}{quote}"


def _id(request_id: str, plain: Callable[[str], str]) -> str:
    return request_id if _OWN_ID.fullmatch(request_id) else plain(request_id)


def _cost_usd(record: Record, tokens: Tokens) -> float | None:
    return cost_usd(record.attempts[-1].target.prices if record.attempts else None, tokens)
