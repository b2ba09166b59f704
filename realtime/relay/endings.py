"""How a relayed session ends, or its upstream: close codes and error events as outcomes, refusals as close codes."""

from collections.abc import Mapping
from typing import Any

from policies import ErrorDetail, Outcome
from router.refusal import Refusal
from router.upstreams.base import UpstreamFault
from router.verdict import error_detail, redacted

_BY_CODE: Mapping[int, Outcome] = {
    1009: Outcome.BAD_REQUEST,
    1011: Outcome.HTTP_5XX,
    1012: Outcome.OVERLOADED,
    1013: Outcome.OVERLOADED,
    3000: Outcome.UPSTREAM_AUTH,
    3003: Outcome.UPSTREAM_AUTH,
    4000: Outcome.MODEL_NOT_FOUND,
}
_BY_WORD: tuple[tuple[Outcome, tuple[str, ...]], ...] = (
    (Outcome.UPSTREAM_AUTH, ("invalid_api_key", "authentication_error", "permission_error")),
    (Outcome.QUOTA_EXHAUSTED, ("insufficient_quota", "billing_hard_limit_reached")),
    (Outcome.RATE_LIMITED, ("rate_limit_exceeded", "rate_limit_error")),
    (Outcome.MODEL_NOT_FOUND, ("invalid_model", "model_not_found")),
)
NORMAL, TRY_AGAIN, INTERNAL = 1000, 1013, 1011


def lost_as(code: int | None, reason: str = "") -> UpstreamFault:
    """A connection that ended without being asked to; `code` None or 1006: without a word."""
    if code in (None, 1006):
        return UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "the connection broke")
    said = f": {redacted(reason, 120)}" if reason else ""
    return UpstreamFault(_BY_CODE.get(code or 0, Outcome.IN_BAND_ERROR), f"the provider closed with {code}{said}")


def refused_as(wire: Mapping[str, Any]) -> UpstreamFault:
    """An `error` event in place of a session."""
    error = error_detail(wire, "the provider refused the session")
    words = {error.code, error.type}
    outcome = next((found for found, names in _BY_WORD if words & set(names)), Outcome.IN_BAND_ERROR)
    return UpstreamFault(outcome, error.message, error=error)


def tellable(error: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's error as the client may read it: providers repeat keys and addresses of ours in their messages."""
    message = error.get("message")
    return {**error, "message": redacted(message)} if isinstance(message, str) else dict(error)


def in_session(fault: UpstreamFault, last_error: Mapping[str, Any] | None) -> UpstreamFault:
    """The fault of an upstream that had a session: its last error says more than its close code."""
    outcome: Outcome = Outcome.RESET_AFTER_COMMIT if fault.outcome is Outcome.RESET_BEFORE_COMMIT else fault.outcome
    detail = ErrorDetail(fault.message, code=outcome.value)
    if last_error:
        told = refused_as({"error": last_error})
        if told.outcome is not Outcome.IN_BAND_ERROR:
            outcome = told.outcome
        detail = ErrorDetail(
            f"{fault.message}; before that: {told.message}", told.error.type, told.error.code or outcome.value
        )
    return UpstreamFault(outcome, fault.message, error=detail)


def close_code(refusal: Refusal) -> int:
    """How a session closes that nobody can serve (any more)."""
    if refusal.status == 429:
        return 1008
    if refusal.status == 503:
        return TRY_AGAIN
    return INTERNAL if refusal.status >= 500 else 4000
