"""What one connection may cost before a request is understood, and how a client hears that it costs too much."""

import json
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Sizes, counts and times; see each."""

    head_bytes: int = 32 * 1024  # request line and headers
    headers: int = 100
    head_s: float = 10.0  # for the complete head, from connect and from the first byte of each message
    body_idle_s: float = 30.0  # without a byte of a body that is under way
    body_bytes_per_s: int = 1024  # averaged over the body, after the first `body_idle_s`
    body_bytes: int = 64 * 1024 * 1024  # outer wall; routes have tighter ones
    connections: int = 10_000


class WireRefusal(Exception):  # noqa: N818  a refusal, our word for it
    """Why a message is not read on: status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> bytes:
        """An OpenAI-shaped JSON error with `connection: close`, head and body."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "param": None, "code": self.code}
        body = json.dumps({"error": error}).encode()
        later = b"retry-after: 1\r\n" if self.status == 503 else b""
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        return STATUS_LINE[self.status] + later + head + body


def head_too_large(limits: WireLimits) -> WireRefusal:
    """431."""
    message = f"The head may have {limits.head_bytes} bytes and {limits.headers} headers at most."
    return WireRefusal(431, "headers_too_large", message)


def body_too_large(limits: WireLimits) -> WireRefusal:
    """413."""
    return WireRefusal(413, "body_too_large", f"The body may have {limits.body_bytes} bytes at most.")
