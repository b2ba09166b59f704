"""What lies behind an exception of litellm's: the provider's status, its own words, or a lost connection. Pure.

litellm wraps everything it meets into its own classes; the causes below them still know what happened.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import orjson

from policies import Outcome

CODES = {
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_policy_violation",
    "UnsupportedParamsError": "unsupported_parameter",
    "NotFoundError": "model_not_found",
    "RateLimitError": "rate_limit_exceeded",
    "AuthenticationError": "invalid_api_key",
}
_PROVIDERS_JSON = re.compile(r"\{.*\}", re.DOTALL)
_UNREACHED = {"ConnectError", "ClientConnectorError", "ConnectionRefusedError"}
_LOST = {"ClientPayloadError", "ConnectionResetError", "ReadError", "RemoteProtocolError", "ServerDisconnectedError"}


def said(error: Exception) -> str:
    """The provider's own words in an exception of litellm's, without litellm's wrapping."""
    text = str(getattr(error, "message", None) or error)
    inner = _PROVIDERS_JSON.search(text)
    if inner is not None:
        try:
            document = orjson.loads(inner[0])
        except orjson.JSONDecodeError:
            return text.partition("\n")[0]
        found = document.get("error", document)
        words = found.get("message") if isinstance(found, dict) else found
        if isinstance(words, str) and words:
            return words
    return text.partition("\n")[0].rpartition("Exception - ")[2]


def connection_fault(error: BaseException) -> Outcome | None:
    """The outcome when a connection's failure lies at the bottom of an exception of litellm's."""
    for cause in _chain(error):
        if isinstance(cause, socket.gaierror):
            return Outcome.DNS
        if isinstance(cause, ssl.SSLError):
            return Outcome.TLS
        if type(cause).__name__ in _LOST:
            return Outcome.RESET_BEFORE_COMMIT
    names = {type(cause).__name__ for cause in _chain(error)}
    if names & {"ConnectTimeout", "ConnectionTimeoutError"}:
        return Outcome.CONNECT_TIMEOUT
    return Outcome.CONNECT_REFUSED if names & _UNREACHED else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(20):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def status_of(error: BaseException) -> int:
    """The provider's own status: litellm turns a 529 into a 500, its cause still knows."""
    found = [getattr(cause, "status_code", None) for cause in _chain(error)]
    statuses = [status for status in found if isinstance(status, int) and 400 <= status < 600]
    return statuses[-1] if statuses else 500


def waiting_headers(error: Any) -> dict[str, str]:
    response = getattr(error, "response", None)
    found = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    return {name: str(found[name]) for name in ("retry-after", "retry-after-ms") if name in found}
