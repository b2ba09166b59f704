"""What the client is told when a plan was walked in vain: status, code, headers, and who failed.

429 only if every attempt was limited; a provider's own 4xx is passed on; a refused provider key is our 502, never 401.
"""

import math

from policies import Attempt, Outcome, Plan, Stop, StopReason

from .record import Record
from .refusal import Refusal

SPENT = {"x-should-retry": "false"}
_LIMITED = (Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED)


def refusal(record: Record, plan: Plan, stop: Stop) -> Refusal:
    """The answer to a request whose walk ended so."""
    attempts = record.attempts
    if not attempts:
        return _nothing_to_try(record, plan)
    last = attempts[-1]
    rule = last.rule
    error = last.error
    headers = dict(SPENT)
    if stop.reason is StopReason.DEADLINE and last.outcome is not Outcome.CANCELLED_BY_CLIENT:
        return _said(
            record, 504, "the deadline passed", kind="upstream_error", code="upstream_timeout", headers=headers
        )
    if rule.passes:
        status = last.status_code if last.status_code is not None and 400 <= last.status_code < 500 else rule.status
        message = error.message if error else "the provider refused the request"
        kind = error.type if error and error.type != "upstream_error" else rule.type
        code = error.code if error and error.code else last.outcome.value
        param = error.param if error else None
        return Refusal(status, message, code=code, param=param, kind=kind, headers=headers, record=record)
    if last.outcome in _LIMITED:
        if all(attempt.outcome in _LIMITED for attempt in attempts):
            asked_s = [a.retry_after_s for a in attempts if a.retry_after_s is not None]
            if asked_s:
                headers["retry-after"] = str(math.ceil(min(asked_s)))
            return _said(
                record, rule.status, "every target is limited", kind=rule.type, code=rule.code, headers=headers
            )
        return _said(record, 502, "no target answered", kind="upstream_error", code="upstream_error", headers=headers)
    if rule.status == 503:
        headers["retry-after"] = "1"
    return _said(record, rule.status, "no target answered", kind=rule.type, code=rule.code, headers=headers)


def interrupted(record: Record) -> Refusal:
    """The error that ends a stream after its commit."""
    last = record.attempts[-1]
    said = f": {last.error.message}" if last.error else ""
    message = f"provider {last.target.provider!r} interrupted the stream ({last.outcome.value}){said}"
    return Refusal(502, message, code="stream_interrupted", kind="upstream_error", headers=dict(SPENT), record=record)


def _said(record: Record, status: int, what: str, *, kind: str, code: str | None, headers: dict[str, str]) -> Refusal:
    message = f"{record.decision.requested!r}: {what}; tried {_tried(record.attempts)}"
    return Refusal(status, message, code=code, kind=kind, headers=headers, record=record)


def _tried(attempts: list[Attempt]) -> str:
    return ", ".join(f"{attempt.target.name} ({attempt.outcome.value})" for attempt in attempts)


def _nothing_to_try(record: Record, plan: Plan) -> Refusal:
    asked = record.decision.requested
    if not plan.candidates:
        message = f"{asked!r}: no target offers this model"
        return Refusal(404, message, code="model_not_found", param="model", headers=dict(SPENT), record=record)
    why = ", ".join(f"{candidate.target.name} ({candidate.skipped})" for candidate in plan.candidates)
    message = f"{asked!r}: no target can serve this request; passed over {why}"
    return Refusal(400, message, code="no_capable_target", param="model", headers=dict(SPENT), record=record)
