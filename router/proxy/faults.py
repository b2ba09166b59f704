"""Every way the proxy says no, in OpenAI's envelope; the message says who failed: the client, the router or provider X.

The core's `Refusal` knows its own face; here are the statuses' types, `ClientGone` (nobody is there to be told) and the
last resort: anything else that rises is our own defect, logged under the request's id, and says nothing internal.
"""

from collections.abc import Mapping

from router.refusal import Refusal

TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    412: "conflict_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    502: "upstream_error",
    503: "overloaded_error",
    504: "upstream_error",
}


def type_of(status: int) -> str:
    """The envelope's `type` for a status."""
    return TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


class ClientGone(Exception):  # noqa: N818  an event, not an error of anybody
    """The client hung up; whatever ran for it has been cancelled."""


def refused(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """A refusal of the proxy itself; its `type` follows from the status unless given."""
    return Refusal(status, message, code=code, param=param, kind=kind or type_of(status), headers=headers)


def internal(correlation: str) -> Refusal:
    """The last resort: says nothing but where to look."""
    message = f"The router failed on this request; this is our defect. Quote the request id {correlation!r}."
    return Refusal(500, message, code="internal_error", kind="server_error")
