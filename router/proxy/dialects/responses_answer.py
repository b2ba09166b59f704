"""A chat's answer as OpenAI's Responses print it: one object, or events in their order with their numbers.

Each block is an output item: reasoning (as a summary), a message, a function call. The routing report is `routing` of
the response, and of the last event.
"""

from collections.abc import Mapping
from typing import Any

from router.proxy.documents import JsonObject

from .blocks import CUT_SHORT, Answer, Block, Change, Closed, Grew, Opened, sse
from .responses_parts import called, citation, free_text, part, told_token, used
from .responses_request import AskedResponse

PREFIXES = {"reasoning": "rs", "text": "msg", "refusal": "msg", "call": "fc"}
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
SPOKEN = {"text": "response.output_text", "refusal": "response.refusal"}
SUMMARY = "response.reasoning_summary"
ARGUMENTS = "response.function_call_arguments"
FREE_TEXT = "response.custom_tool_call_input"


class ResponseAnswer:
    """One response. Feed it chunks (`take`, `end` or `fail`) for events, or a whole completion (`whole`)."""

    def __init__(self, asked: AskedResponse, *, seed: str, created_s: int) -> None:
        """`seed`: what ids are made of."""
        self._fixed = {"id": f"resp_{seed}", "object": "response", "created_at": created_s}
        self._repeated = asked.repeated
        self._named = asked.named
        self._warnings = asked.warnings
        self._seed = seed
        self._answer = Answer(seed)
        self._number = -1  # of the last event

    def whole(self, completion: Mapping[str, Any]) -> JsonObject:
        """A completion as a response."""
        for _ in (*self._answer.take(completion), *self._answer.end()):
            pass
        return self._response(self._final_status())

    def take(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of a chunk."""
        changes = self._answer.take(chunk)
        return self._opening() + b"".join(self._told(change) for change in changes)

    def end(self) -> bytes:
        """The events that end a stream."""
        told = self._opening() + b"".join(self._told(change) for change in self._answer.end())
        status = self._final_status()
        return told + self._last(status, self._response(status))

    def fail(self, envelope: Mapping[str, Any], status: int) -> bytes:
        """The event that ends a stream with an error, which comes in OpenAI's envelope."""
        opening = self._opening()
        error = envelope["error"]
        code = "rate_limit_exceeded" if status == 429 else "server_error"  # the SDK's types know no others that fit
        self._answer.report = envelope.get("metadata")
        failed = self._response("failed") | {"error": {"code": code, "message": error["message"]}}
        return opening + self._last("failed", failed)

    def _final_status(self) -> str:
        return "incomplete" if self._answer.finish_reason in CUT_SHORT else "completed"

    def _opening(self) -> bytes:
        if self._number >= 0:
            return b""
        response = self._response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _last(self, status: str, response: JsonObject) -> bytes:
        routing = {"routing": response["routing"]} if "routing" in response else {}
        return self._event(f"response.{status}", response=response, **routing)

    def _response(self, status: str) -> JsonObject:
        answer = self._answer
        reason = REASONS.get(answer.finish_reason or "") if status == "incomplete" else None
        response = {
            **self._fixed,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            **self._repeated,
            "model": answer.model,
            "output": [self._item(block) for block in answer.blocks],
            "usage": used(answer.usage),
        }
        if answer.report is not None and status != "in_progress":
            routing = dict(answer.report)
            if self._warnings:
                routing["warnings"] = [*routing.get("warnings", ()), *self._warnings]
            response["routing"] = routing
        return response

    def _told(self, change: Change) -> bytes:
        block = change.block
        where = {"item_id": self._id(block), "output_index": block.index}
        match change:
            case Opened():
                empty: JsonObject = {"summary": []} if block.kind == "reasoning" else {"status": "in_progress"}
                added = self._item(block) | empty | ({"content": []} if block.kind in SPOKEN else {})
                return self._event("response.output_item.added", output_index=block.index, item=added) + self._part(
                    "added", block, where
                )
            case Grew(piece=piece, logprobs=logprobs):
                if block.kind == "reasoning":
                    return self._event(f"{SUMMARY}_text.delta", **where, summary_index=0, delta=piece)
                if block.kind == "call":
                    return b"" if self._custom(block) else self._event(f"{ARGUMENTS}.delta", **where, delta=piece)
                more = {"logprobs": [told_token(token) for token in logprobs]} if block.kind == "text" else {}
                return self._event(f"{SPOKEN[block.kind]}.delta", **where, content_index=0, delta=piece, **more)
            case Closed():
                told = self._full(block, where) + self._part("done", block, where)
                done = self._event("response.output_item.done", output_index=block.index, item=self._item(block))
                return told + done
            case _:
                place = len(block.annotations) - 1
                note = citation(change.annotation)
                return self._event(
                    "response.output_text.annotation.added",
                    **where,
                    content_index=0,
                    annotation_index=place,
                    annotation=note,
                )

    def _full(self, block: Block, where: Mapping[str, Any]) -> bytes:
        """The event that repeats a block's whole text."""
        match block.kind:
            case "reasoning":
                return self._event(f"{SUMMARY}_text.done", **where, summary_index=0, text=block.text)
            case "call" if self._custom(block):
                text = free_text(block.text)
                delta = self._event(f"{FREE_TEXT}.delta", **where, delta=text)
                return delta + self._event(f"{FREE_TEXT}.done", **where, input=text)
            case "call":
                named = self._named.get(block.name)
                name = block.name if named is None else named.name
                return self._event(f"{ARGUMENTS}.done", **where, name=name, arguments=block.text)
            case "refusal":
                return self._event("response.refusal.done", **where, content_index=0, refusal=block.text)
            case _:
                tokens = [told_token(token) for token in block.logprobs]
                return self._event(
                    "response.output_text.done", **where, content_index=0, text=block.text, logprobs=tokens
                )

    def _part(self, verb: str, block: Block, where: Mapping[str, Any]) -> bytes:
        if block.kind == "call":
            return b""
        if block.kind == "reasoning":
            return self._event(f"{SUMMARY}_part.{verb}", **where, summary_index=0, part=part(block))
        return self._event(f"response.content_part.{verb}", **where, content_index=0, part=part(block))

    def _item(self, block: Block) -> JsonObject:
        item: JsonObject = {"id": self._id(block)}
        if block.kind == "reasoning":
            return item | {"type": "reasoning", "summary": [part(block)]}
        cut = block is self._answer.blocks[-1] and self._answer.finish_reason in CUT_SHORT
        item["status"] = "completed" if block.closed and not cut else "incomplete"
        if block.kind == "call":
            return item | called(block, self._named.get(block.name))
        return item | {"type": "message", "role": "assistant", "content": [part(block)]}

    def _custom(self, block: Block) -> bool:
        """Whether a call is one of a tool that takes free text, which is told only when all of it is there."""
        named = self._named.get(block.name)
        return named is not None and named.custom

    def _id(self, block: Block) -> str:
        prefix = "ctc" if block.kind == "call" and self._custom(block) else PREFIXES[block.kind]
        return f"{prefix}_{self._seed}{block.index:02d}"

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return sse(kind, {"type": kind, **fields, "sequence_number": self._number})
