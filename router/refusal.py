"""Every way the core says no. A refusal knows its own face: HTTP status and OpenAI's error envelope.

Raised for the client's mistakes (a bad field, an unknown model) and when a plan was walked to its end in vain; then it
carries the record, so that the attempts ride beside the error.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from .record import Record


class Refusal(Exception):  # noqa: N818  our word for it
    """A request that is not answered. `code` is stable; `param` names the field; `record`: once a plan was made."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
        record: Record | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.headers = dict(headers or {})  # e.g. retry-after, x-should-retry
        self.record = record

    def document(self) -> dict[str, Any]:
        """OpenAI's envelope, all four keys always there; `metadata` beside it when there is a record."""
        message = self.message.encode("utf-8", "replace").decode("utf-8")
        envelope: dict[str, Any] = {
            "error": {"message": message, "type": self.kind, "param": self.param, "code": self.code}
        }
        if self.record is not None:
            envelope["metadata"] = self.record.metadata()
        return envelope

    def body(self) -> bytes:
        """The envelope as JSON."""
        return orjson.dumps(self.document())
