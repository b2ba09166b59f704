"""What an answer was: the class of an HTTP error, the error as it may be shown, and how long to stay away.

Of a provider's error only message, type, param and code are kept, redacted and capped; never bytes, headers or URLs.
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from policies import ErrorDetail, Outcome, classify

from .upstreams.base import UpstreamFault

MAX_MESSAGE = 600
MAX_WORD = 100
RETRY_AFTER_CAP_S = 120.0
_SECRETS = re.compile(
    r"(?i)\b(?:sk|pk|rk|gsk|xai|key|ek|tgp|hf|r8|AIza|AKIA)[-_][A-Za-z0-9_\-*.]{4,}|\bAIza[\w-]{20,}|\bBearer\s+\S+|"
    r"\beyJ[\w-]+\.[\w-]+\.[\w-]+|\b[A-Za-z0-9_-]{40,}\b"
)
_URLS = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def redacted(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text without keys, tokens, URLs and control characters, cut to `limit` characters."""
    text = text[: limit * 4]
    text = _URLS.sub("[url]", _SECRETS.sub("[redacted]", text))
    return _CONTROLS.sub(" ", text).strip()[:limit]


def failed(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> UpstreamFault:
    """The fault of an HTTP answer that is not a success."""
    try:
        document = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        document = None
    return judged(status, document, retry_after_s=retry_after_s(headers, wall_s))


def judged(status: int, document: Any, *, retry_after_s: float | None = None) -> UpstreamFault:
    """The fault of an error document. `status` 200: an error in a success; it may name its own status."""
    error = error_detail(document, f"HTTP status {status}")
    inner = _status_inside(document) if status == 200 else None
    if status == 200:
        outcome, shown = Outcome.IN_BAND_ERROR, inner
    else:
        outcome, shown = classify(status, code=error.code, kind=error.type, message=error.message), status
    return UpstreamFault(outcome, error.message, status_code=shown, error=error, retry_after_s=retry_after_s)


def error_detail(document: Any, fallback: str) -> ErrorDetail:
    """What may be shown of an error document, in any of the shapes providers use."""
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error", document) if isinstance(document, dict) else None
    if isinstance(error, str):
        return ErrorDetail(redacted(error) or fallback)
    if not isinstance(error, dict):
        return ErrorDetail(fallback)
    message = error.get("message") or error.get("detail") or error.get("msg")
    kind = error.get("type")
    code = error.get("code")
    if code is None:
        code = error.get("status")
    return ErrorDetail(
        message=redacted(message) or fallback if isinstance(message, str) else fallback,
        type=_word(kind) or "upstream_error",
        code=_word(code),
        param=_word(error.get("param")),
    )


def retry_after_s(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Seconds the provider asked for, from 0 to 120; None if it asked for nothing that makes sense."""
    asked = _number(headers.get("retry-after-ms"))
    if asked is not None:
        asked /= 1000
    else:
        text = headers.get("retry-after")
        asked = _number(text)
        if asked is None and text is not None:
            try:
                asked = max(0.0, parsedate_to_datetime(text).timestamp() - wall_s)
            except (ValueError, OverflowError):
                return None
    if asked is None or asked < 0:
        return None
    return min(asked, RETRY_AFTER_CAP_S)


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _status_inside(document: Any) -> int | None:
    error = document.get("error") if isinstance(document, dict) else None
    for holder in (error, document):
        if isinstance(holder, dict):
            for name in ("status_code", "status", "code"):
                value = holder.get(name)
                if isinstance(value, str) and value.isdigit():
                    value = int(value[:3])
                if isinstance(value, int) and 400 <= value < 600:
                    return value
    return None


def _word(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return redacted(str(value), MAX_WORD) or None
