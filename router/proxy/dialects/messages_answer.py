"""A chat's answer as Anthropic's Messages print it: one object, or events.

The routing report is `metadata` of the message, in streams of `message_delta`. Input tokens are known only at the end
of a chat, so `message_start` says 0 and `message_delta` the truth. Thinking is shown to those who asked for it.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from router.proxy.documents import JsonObject

from .blocks import Answer, Block, Change, Closed, Grew, Opened, count, sse

STOPS = {"length": "max_tokens", "content_filter": "refusal"}
GROWTH = {
    "text": ("text_delta", "text"),
    "refusal": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "call": ("input_json_delta", "partial_json"),
}


class MessageAnswer:
    """One message. Feed it chunks (`take`, `end` or `fail`) for events, or a whole completion (`whole`)."""

    def __init__(self, *, thinks: bool, warnings: list[Mapping[str, str]], seed: str) -> None:
        """`seed`: what ids are made of."""
        self._thinks = thinks
        self._warnings = warnings
        self._fixed = {"id": f"msg_{seed}", "type": "message", "role": "assistant"}
        self._answer = Answer(seed)
        self._places: dict[int, int] = {}  # of blocks that are shown
        self._begun = False

    def whole(self, completion: Mapping[str, Any]) -> JsonObject:
        """A completion as a message."""
        answer = self._answer
        for _ in (*answer.take(completion), *answer.end()):
            pass
        shown = [block for block in answer.blocks if self._shows(block)]
        return {
            **self._fixed,
            "model": answer.model,
            "content": [_full(block) for block in shown],
            **self._stop(),
            "usage": used(answer.usage),
            **self._report(),
        }

    def take(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of a chunk."""
        changes = self._answer.take(chunk)
        return self._opening() + b"".join(self._told(change) for change in changes)

    def end(self) -> bytes:
        """The events that end a stream."""
        told = self._opening() + b"".join(self._told(change) for change in self._answer.end())
        last = {"delta": self._stop(), "usage": used(self._answer.usage), **self._report()}
        return told + _event("message_delta", **last) + _event("message_stop")

    def fail(self, envelope: Mapping[str, Any], status: int) -> bytes:
        """The event that ends a stream with an error, which comes in OpenAI's envelope."""
        return sse("error", in_envelope(envelope, status))

    def _opening(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: JsonObject = {
            **self._fixed, "model": self._answer.model, "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": used({}),
        }  # fmt: skip
        return _event("message_start", message=message)

    def _told(self, change: Change) -> bytes:
        block = change.block
        if not self._shows(block):
            return b""
        place = self._places.setdefault(block.index, len(self._places))
        match change:
            case Opened():
                return _event("content_block_start", index=place, content_block=_empty(block))
            case Grew(piece=piece):
                kind, name = GROWTH[block.kind]
                return _event("content_block_delta", index=place, delta={"type": kind, name: piece})
            case Closed():
                return _event("content_block_stop", index=place)
            case _:
                return b""  # citations have another form there, and it needs places that a chat does not tell

    def _shows(self, block: Block) -> bool:
        return self._thinks or block.kind != "reasoning"

    def _stop(self) -> JsonObject:
        answer = self._answer
        refused = any(block.kind == "refusal" for block in answer.blocks)
        usual = "tool_use" if answer.calls else "refusal" if refused else "end_turn"
        return {"stop_reason": STOPS.get(answer.finish_reason or "", usual), "stop_sequence": None}

    def _report(self) -> JsonObject:
        report = dict(self._answer.report or {})
        if self._warnings:
            report["warnings"] = [*report.get("warnings", ()), *self._warnings]
        return {"metadata": report} if report else {}


def in_envelope(envelope: Mapping[str, Any], status: int, request_id: str | None = None) -> JsonObject:
    """OpenAI's error envelope in Anthropic's words; `metadata` stays beside it."""
    error = {"type": kind_of(status), "message": envelope["error"]["message"]}
    named = {"request_id": request_id} if request_id else {}
    report = {"metadata": envelope["metadata"]} if "metadata" in envelope else {}
    return {"type": "error", "error": error, **named, **report}


KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def kind_of(status: int) -> str:
    """Anthropic's type of error for a status."""
    return KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")


def used(usage: Mapping[str, Any] | None) -> JsonObject:
    """A chat's usage in the words of this API, where what was read from a cache is not part of the input."""
    usage = usage or {}
    details = "prompt_tokens_details"
    read = count(usage, details, "cached_tokens")
    written = count(usage, details, "cache_write_tokens", "cache_creation_tokens")
    return {
        "input_tokens": max(0, count(usage, "prompt_tokens") - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": count(usage, "completion_tokens"),
    }


def _empty(block: Block) -> JsonObject:
    match block.kind:
        case "call":
            return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": {}}
        case "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case _:
            return {"type": "text", "text": ""}


def _full(block: Block) -> JsonObject:
    match block.kind:
        case "call":
            return _empty(block) | {"input": arguments(block.text)}
        case "reasoning":
            return _empty(block) | {"thinking": block.text}
        case _:
            return _empty(block) | {"text": block.text}


def arguments(text: str) -> JsonObject:
    """A call's arguments as an object; what is no object stays to be seen as `_raw`."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"_raw": text}
    return value if isinstance(value, dict) else {"_raw": text}


def _event(kind: str, **fields: Any) -> bytes:
    return sse(kind, {"type": kind, **fields})
