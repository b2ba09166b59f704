"""One reply being written: a routed chat completion read chunk by chunk and told to the session.

The words go two ways: as `TextDelta` to the session, and to `words`, whoever speaks them.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from policies import Decision
from router.proxy.limits import Permit
from router.proxy.site import settle
from router.record import Record
from router.refusal import Refusal
from router.router import Router, Stream

from .account import Account, rate_limits
from .prompting import chat_document
from .protocol import (
    Attempts,
    FinishReason,
    ReplyFailed,
    ReplyFinished,
    ReplyRequest,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
)
from .records import attempts_of
from .steering import TagFilter
from .studio import Studio

REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


@dataclass(slots=True)
class OpenCalls:
    """Tool calls by their index in the stream. Where a model gives none, an id is made that no other call has.

    Some servers put every call at index 0: another id is another call.
    """

    current: dict[int, str] = field(default_factory=dict)
    all: list[str] = field(default_factory=list)
    argued: set[str] = field(default_factory=set)

    def tell(self, pieces: list[Mapping[str, Any]], reply: "Voiceless", at_ms: float) -> None:
        response_id = reply.response_id
        for piece in pieces:
            index = piece.get("index") or 0
            function = piece.get("function") or {}
            given = piece.get("id")
            if index not in self.current or (given and given != self.current[index]):
                call_id = self.current[index] = given or f"call_{secrets.token_hex(10)}"
                self.all.append(call_id)
                name = function.get("name") or ""
                reply.tell(ToolCallStarted(response_id=response_id, call_id=call_id, name=name, at_ms=at_ms))
            if arguments := function.get("arguments"):
                call_id = self.current[index]
                self.argued.add(call_id)
                reply.tell(ToolArgumentsDelta(response_id=response_id, call_id=call_id, text=arguments, at_ms=at_ms))

    def finish(self, reply: "Voiceless", at_ms: float, *, whole: bool = True) -> None:
        for call_id in self.all:
            if whole and call_id not in self.argued:  # some models say nothing where they mean no arguments
                reply.tell(ToolArgumentsDelta(response_id=reply.response_id, call_id=call_id, text="{}", at_ms=at_ms))
            reply.tell(ToolCallFinished(response_id=reply.response_id, call_id=call_id, at_ms=at_ms))


class Voiceless(Protocol):
    """The reply being written, as far as the words are concerned."""

    request: ReplyRequest
    response_id: str

    def tell(self, event: Any) -> None:
        """Report to the session."""
        ...

    def routed(self, decision: Decision) -> None:
        """Its words have been routed."""
        ...


class Writing:
    """Writes one reply; `words` hands text on to be spoken."""

    def __init__(self, reply: Voiceless, studio: Studio) -> None:
        self._reply = reply
        self._clock_ms = studio.clock_ms
        self._prompts = studio.settings.prompts
        self._tags = TagFilter()
        self._stream: Stream | None = None  # as long as nobody was told how it ended
        self.words: Callable[[str], None] | None = None

    async def run(self, router: Router, account: Account) -> bool:
        """Write the reply to its end. False when it failed (and that was told)."""
        request = self._reply.request
        document = chat_document(request, account.session_id, self._prompts)
        try:
            permit = await account.admit(document)
        except Refusal as refusal:
            self._fail(refusal)
            return False
        record: Record | None = None
        try:
            stream = self._stream = router.unopened(document, account.caller(request.voice_profile))
            record = stream.record
            self._reply.routed(record.decision)
            await stream.open()
            try:
                await self._read(stream, permit)
            finally:
                stream.close()
        except Refusal as refusal:
            record = record or refusal.record
            self._fail(refusal)
            return False
        finally:
            settle(permit, record)
            permit.release()
        return True

    def cut(self) -> Attempts:
        """Stop at once; the attempts that nobody was told of."""
        stream, self._stream = self._stream, None
        if stream is None:
            return ()
        stream.close()
        return attempts_of(stream.record)

    async def _read(self, stream: Stream, permit: Permit) -> None:
        calls = OpenCalls()
        reason: FinishReason = "stop"
        usage: Mapping[str, Any] = {}
        async for chunk in stream.chunks():
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                delta = choice.get("delta") or {}
                text = delta.get("content") or delta.get("refusal")
                if text:
                    self._write(text)
                if pieces := delta.get("tool_calls"):
                    calls.tell(pieces, self._reply, self._clock_ms())
                if finish := choice.get("finish_reason"):
                    reason = REASONS.get(finish, "stop")
        self._show(self._tags.flush())
        at_ms = self._clock_ms()
        calls.finish(self._reply, at_ms, whole=reason != "length")
        self._stream = None
        self._reply.tell(
            ReplyFinished(
                response_id=self._reply.response_id,
                reason=reason,
                usage=counted_usage(usage),
                attempts=attempts_of(stream.record),
                limits=rate_limits(permit),
                at_ms=at_ms,
            )
        )

    def _write(self, text: str) -> None:
        self._show(self._tags.feed(text))
        if self.words is not None:
            self.words(text)

    def _show(self, text: str) -> None:
        if text:
            self._reply.tell(TextDelta(response_id=self._reply.response_id, text=text, at_ms=self._clock_ms()))

    def _fail(self, refusal: Refusal) -> None:
        self._stream = None
        self._reply.tell(
            ReplyFailed(
                response_id=self._reply.response_id,
                code=refusal.code or "upstream_error",
                message=refusal.message,
                kind=refusal.kind,
                attempts=attempts_of(refusal.record),
                at_ms=self._clock_ms(),
            )
        )


def counted_usage(usage: Mapping[str, Any]) -> Usage:
    """OpenAI's chat usage as the session counts it."""
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        input_text_tokens=int(usage.get("prompt_tokens") or 0),
        output_text_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
    )
