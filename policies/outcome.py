"""How an attempt ended: a closed set, which is also the metric label; and the table of what follows from each end.

The table is the law: the plan, the breaker and the answer to the client read it, nothing else decides by error class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """The end of one attempt. Everything but `SUCCESS` is an error class."""

    SUCCESS = "success"
    DNS = "dns"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    WRITE = "write"
    HEADER_TIMEOUT = "header_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105  a name, not a secret
    IDLE_TIMEOUT = "idle_timeout"
    DEADLINE = "deadline"
    RESET_BEFORE_COMMIT = "reset_before_commit"
    RESET_AFTER_COMMIT = "reset_after_commit"
    TRUNCATED = "truncated"
    HTTP_408 = "http_408"
    HTTP_409 = "http_409"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    HTTP_5XX = "http_5xx"
    OVERLOADED = "overloaded"
    UPSTREAM_AUTH = "upstream_auth"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_LENGTH = "context_length"
    UNSUPPORTED_PARAM = "unsupported_param"
    BAD_REQUEST = "bad_request"
    CONTENT_FILTER = "content_filter"
    IN_BAND_ERROR = "in_band_error"
    EMPTY_RESPONSE = "empty_response"
    MALFORMED_RESPONSE = "malformed_response"
    DECODE_ERROR = "decode_error"
    CANCELLED_BY_CLIENT = "cancelled_by_client"
    HEDGE_LOST = "hedge_lost"
    ROUTER_OVERLOADED = "router_overloaded"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET_EXHAUSTED = "budget_exhausted"
    OTHER = "other"


Again = Literal["never", "sole", "wait"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from an outcome before anything was committed. `status`, `type`, `code`: for the client."""

    again: Again  # same target: never; once if there is no other (or as the limits say); or after its Retry-After
    fall_back: bool
    failure: bool  # counts against the target in its breaker
    status: int
    type: str = "upstream_error"
    code: str | None = None
    local: bool = False  # of local origin (name, connection, TLS): counted apart from what the target answered
    rest_s: float = 0.0  # a rest of its own, at once, without the breaker
    passes: bool = False  # the provider's own 4xx status and error are shown


def _unreachable() -> Rule:
    return Rule("never", fall_back=True, failure=True, status=502, code="upstream_unreachable", local=True)


def _slow() -> Rule:
    return Rule("never", fall_back=True, failure=True, status=504, code="upstream_timeout")


def _broken(status: int = 502, code: str = "upstream_error") -> Rule:
    return Rule("sole", fall_back=True, failure=True, status=status, code=code)


def _refused(*, fall_back: bool) -> Rule:
    return Rule(
        "never", fall_back=fall_back, failure=False, status=400, type="invalid_request_error", code=None, passes=True
    )


def _ours(code: str) -> Rule:
    return Rule("never", fall_back=False, failure=False, status=503, type="overloaded_error", code=code)


RULES: Mapping[Outcome, Rule] = {
    Outcome.SUCCESS: Rule("never", fall_back=False, failure=False, status=200),
    Outcome.DNS: _unreachable(),
    Outcome.CONNECT_REFUSED: _unreachable(),
    Outcome.CONNECT_TIMEOUT: _unreachable(),
    Outcome.TLS: _unreachable(),
    Outcome.WRITE: _broken(),
    Outcome.HEADER_TIMEOUT: _slow(),
    Outcome.FIRST_TOKEN_TIMEOUT: _slow(),
    Outcome.IDLE_TIMEOUT: _slow(),
    Outcome.DEADLINE: Rule("never", fall_back=False, failure=False, status=504, code="upstream_timeout"),
    Outcome.RESET_BEFORE_COMMIT: _broken(),
    Outcome.RESET_AFTER_COMMIT: _broken(),
    Outcome.TRUNCATED: _broken(),
    Outcome.HTTP_408: _broken(),
    Outcome.HTTP_409: _broken(),
    Outcome.RATE_LIMITED: Rule(
        "wait",
        fall_back=True,
        failure=False,
        status=429,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        rest_s=5.0,
    ),
    Outcome.QUOTA_EXHAUSTED: Rule(
        "never",
        fall_back=True,
        failure=False,
        status=429,
        type="insufficient_quota",
        code="insufficient_quota",
        rest_s=300.0,
    ),
    Outcome.HTTP_5XX: _broken(),
    Outcome.OVERLOADED: _broken(503, "upstream_overloaded"),
    Outcome.UPSTREAM_AUTH: Rule(
        "never", fall_back=True, failure=False, status=502, code="upstream_auth_error", rest_s=60.0
    ),
    Outcome.MODEL_NOT_FOUND: _refused(fall_back=True),
    Outcome.CONTEXT_LENGTH: _refused(fall_back=True),
    Outcome.UNSUPPORTED_PARAM: _refused(fall_back=True),
    Outcome.BAD_REQUEST: _refused(fall_back=False),
    Outcome.CONTENT_FILTER: _refused(fall_back=False),
    Outcome.IN_BAND_ERROR: _broken(),
    Outcome.EMPTY_RESPONSE: _broken(code="empty_response"),
    Outcome.MALFORMED_RESPONSE: _broken(code="malformed_response"),
    Outcome.DECODE_ERROR: _broken(code="malformed_response"),
    Outcome.CANCELLED_BY_CLIENT: Rule("never", fall_back=False, failure=False, status=499, code="cancelled"),
    Outcome.HEDGE_LOST: Rule("never", fall_back=True, failure=False, status=499, code="hedge_lost"),
    Outcome.ROUTER_OVERLOADED: replace(_ours("router_overloaded"), fall_back=True),  # this target's calls are full
    Outcome.CIRCUIT_OPEN: _ours("circuit_open"),
    Outcome.BUDGET_EXHAUSTED: _ours("budget_exhausted"),
    Outcome.OTHER: _broken(),
}

_BY_STATUS: Mapping[int, Outcome] = {
    401: Outcome.UPSTREAM_AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.UPSTREAM_AUTH,
    404: Outcome.MODEL_NOT_FOUND,
    408: Outcome.HTTP_408,
    409: Outcome.HTTP_409,
    413: Outcome.CONTEXT_LENGTH,
    429: Outcome.RATE_LIMITED,
    503: Outcome.OVERLOADED,
    529: Outcome.OVERLOADED,
}

# What providers write into `code` or `type`, and the wordings they use when they write nothing there.
_BY_WORD: tuple[tuple[Outcome, frozenset[str], tuple[str, ...]], ...] = (
    (
        Outcome.CONTEXT_LENGTH,
        frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"}),
        ("context length", "context window", "prompt is too long", "too many tokens", "maximum number of tokens"),
    ),
    (
        Outcome.CONTENT_FILTER,
        frozenset({"content_policy_violation", "content_filter", "responsibleaipolicyviolation", "moderation_blocked"}),
        ("content management policy", "content policy", "flagged by moderation"),
    ),
    (
        Outcome.MODEL_NOT_FOUND,
        frozenset({"model_not_found", "model_not_available", "invalid_model", "model_decommissioned"}),
        ("model does not exist", "unknown model", "invalid model name", "no such model"),
    ),
    (
        Outcome.UNSUPPORTED_PARAM,
        frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"}),
        ("unsupported parameter", "unrecognized request argument", "does not support", "not supported"),
    ),
)


def classify(status: int, *, code: str | None = None, kind: str | None = None, message: str = "") -> Outcome:
    """The error class of an HTTP status and an OpenAI error (`code`, `type`, message): 200 means an in-band error."""
    words = {word.lower() for word in (code, kind) if word}
    if status in (402, 403, 429) and words & {"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"}:
        return Outcome.QUOTA_EXHAUSTED
    if status in (400, 404, 413, 422):
        said = message.lower()
        for outcome, names, wordings in _BY_WORD:
            if words & names or any(wording in said for wording in wordings):
                return outcome
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return Outcome.HTTP_5XX
    if status >= 400:
        return Outcome.BAD_REQUEST
    return Outcome.IN_BAND_ERROR if status == 200 else Outcome.MALFORMED_RESPONSE
