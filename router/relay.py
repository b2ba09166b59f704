"""A streamed answer: opened on the first target that says something meaningful, then relayed to its one end.

Before the first meaningful delta targets may change freely and nobody notices; afterwards a failure is one error event
without `[DONE]`, or, where continuing is asked for, another attempt that goes on exactly where the client's text ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from policies import Feature, Outcome, Try

from .dispatch import CHAT, Errand, completion_tokens
from .ending import interrupted
from .parsed import parsed
from .passage import DONE, Diverged, Passage
from .record import Record, Warned
from .refusal import Refusal
from .splice import named, spliced
from .sse import EventReader, EventTooLong, event
from .upstreams.base import Reply, UpstreamFault
from .verdict import failed, judged
from .walk import Walk

GRACE_S = 1.0  # for [DONE] once a finish_reason was seen
GRACE_WITH_USAGE_S = 2.0  # the same while usage is awaited
DRAIN_S = 0.05  # for the clean end behind [DONE], so that the connection can be used again
END = event(DONE)


@dataclass(slots=True)
class _Opened:
    """One attempt's stream, its first meaningful delta in hand."""

    reply: Reply
    events: EventReader
    passage: Passage
    first: bytes
    target: str


class Stream:
    """A streamed answer whose first meaningful delta has arrived. Read by one task."""

    content_type = "text/event-stream"

    def __init__(self, walk: Walk, errand: Errand, *, wants_usage: bool) -> None:
        self._walk = walk
        self._errand = errand
        self._wants_usage = wants_usage
        self._chats = errand.path == CHAT  # only a conversation can be gone on with
        self._continues = self._chats and walk.decision.plan.limits.on_interrupt == "continue"
        self._opened: _Opened | None = None
        self._ready = b""
        self._pending: tuple[bytes, UpstreamFault | None] | None = None  # what `flow` left for `read`
        self._sent: list[str] = []  # the text the client has, kept only where it may be continued
        self._textual = True
        self._ended = False
        walk.credential_type = errand.credential_type if errand.credentials else None

    @property
    def record(self) -> Record:
        """The record, complete once `read` has given b""."""
        return self._walk.record

    @property
    def serving(self) -> str | None:
        """The target (`provider/model`) of the attempt that runs, which the record does not list yet."""
        return self._opened.target if self._opened is not None and not self._ended else None

    @property
    def running_s(self) -> float:
        """How long the attempt that runs has been running."""
        return self._walk.running_s

    async def open(self) -> None:
        """Walk until a target says something. Raises Refusal; being cancelled ends the walk."""
        try:
            await self._open()
        except Refusal as refusal:
            self._finish(refusal.status)
            raise
        except BaseException:
            self._finish(499)
            raise

    async def read(self) -> bytes:
        """SSE bytes ready for the client: whole events, what arrived together comes together; b"" at the end.

        Never raises for an upstream's fault: that becomes one error event without `[DONE]`, and then the end.
        """
        ready, self._ready = self._ready, b""
        while not ready:
            opened = self._opened
            if opened is None:
                return b""
            if self._ended:
                await self._drain(opened)
                return b""
            try:
                ready = await self._advance(opened)
            except UpstreamFault as fault:
                ready = await self._interrupted(opened, fault)
            except asyncio.CancelledError:
                self.close()
                raise
        return ready

    async def flow(self, forward: Callable[[bytes], bool]) -> None:
        """Let what arrives go straight on to `forward`, without waking this task, until it says False.

        Returns at once, or as soon as there is more to do than forwarding: then `read` on. Optional between reads.
        """
        opened = self._opened
        if opened is None or self._ended or self._ready or opened.passage.finished:
            return
        pump = getattr(opened.reply, "pump", None)
        if pump is None:
            return
        passage, events, walk = opened.passage, opened.events, self._walk
        deadline_s = walk.deadline_s

        def take(data: bytes) -> bool:
            try:
                out = _feed(events, passage, data)
            except UpstreamFault as fault:
                self._pending = b"", fault
                return False
            if passage.finished or passage.done or passage.error is not None:
                self._pending = out, None
                return False
            if walk.now_s > deadline_s:
                self._pending = b"", _late()
                return False
            return not out or forward(out)

        try:
            await pump(take)
        except asyncio.CancelledError:
            self.close()
            raise

    def chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The chunks, parsed, without `[DONE]`. Raises Refusal for an interruption."""
        return parsed(self.read, self.record)

    def close(self) -> None:
        """Stop reading: cuts the upstream at once (cancelled_by_client) when the end was not reached. Repeatable."""
        opened, self._opened = self._opened, None
        self._ready = b""
        if opened is not None:
            opened.reply.close()
        self._finish(499)

    async def _open(self) -> None:
        opened = await self._walk.open(self._attempt, _let_go)
        self._opened = opened
        self._ready = opened.first
        if opened.passage.done:
            self._ready += self._complete(opened)

    async def _attempt(self, step: Try) -> _Opened:
        """One call, up to its first meaningful delta: within the first-token limit, comments are no progress."""
        prefix = self._continued()
        refused = any(attempt.prefilled and attempt.target.name == step.target.name for attempt in self.record.attempts)
        prefill = prefix is not None and Feature.PREFILL in step.target.declares and not refused
        if prefill:
            self._walk.prefill()
        call = self._errand.call(step, self.record.attempts, assistant=prefix if prefill else None)
        if call.timeouts.idle_s < call.timeouts.first_token_s:
            call = replace(call, timeouts=replace(call.timeouts, idle_s=call.timeouts.first_token_s))
        passage = Passage(
            step.target.name,
            wants_usage=self._wants_usage,
            told=self._continues,
            prefix="" if prefill else prefix,
        )
        reply: Reply | None = None
        try:
            async with asyncio.timeout(step.timeouts.first_token_s) as timer:
                reply = await self._errand.upstream(step.target).send(call)
                events, first = await self._first(reply, passage, timer)
        except TimeoutError:
            status = reply.status if reply is not None else None
            self._cut(reply)
            message = f"no first token within {step.timeouts.first_token_s:g} s"
            raise UpstreamFault(Outcome.FIRST_TOKEN_TIMEOUT, message, status_code=status) from None
        except UpstreamFault as fault:
            self._cut(reply)
            if reply is not None and fault.status_code is None and fault.outcome is not Outcome.IN_BAND_ERROR:
                fault.status_code = reply.status
            raise
        except BaseException:
            self._cut(reply)
            raise
        self._walk.first_token(committed=True)
        reply.idle_s = step.timeouts.idle_s  # until here the first-token limit alone held
        return _Opened(reply, events, passage, first, step.target.name)

    async def _first(self, reply: Reply, passage: Passage, timer: asyncio.Timeout) -> tuple[EventReader, bytes]:
        if not 200 <= reply.status < 300:
            raise failed(reply.status, reply.headers, await reply.body(), self._errand.clock.wall())
        kind = reply.headers.get("content-type", "text/event-stream")
        if not kind.startswith("text/event-stream"):
            raise await _not_a_stream(reply, kind)
        events = EventReader()
        while True:
            data = await reply.read()
            first = _feed(events, passage, data)
            if passage.error is not None:
                raise judged(200, {"error": passage.error})
            if passage.committed and (first or passage.finished):
                return events, first
            if passage.done or not data:
                if passage.speaking and not passage.finished:
                    raise UpstreamFault(Outcome.TRUNCATED, "the stream ended early")
                raise UpstreamFault(Outcome.EMPTY_RESPONSE, "the stream ended without saying anything")
            if passage.speaking:
                timer.reschedule(None)  # a restart is repeating what the client has: it lives

    async def _advance(self, opened: _Opened) -> bytes:
        """The next bytes that may leave. Raises UpstreamFault when the stream breaks."""
        if self._pending is not None:
            (out, fault), self._pending = self._pending, None
            if fault is not None:
                raise fault
            return self._after(opened, out, ended=False)
        passage = opened.passage
        if passage.finished:
            try:
                async with asyncio.timeout(GRACE_WITH_USAGE_S if self._errand.asks_usage else GRACE_S):
                    data = await opened.reply.read()
            except (TimeoutError, UpstreamFault):
                opened.reply.close()
                return self._complete(opened)
        else:
            data = await opened.reply.read()
            if self._walk.now_s > self._walk.deadline_s:
                raise _late()
        return self._after(opened, _feed(opened.events, passage, data), ended=not data)

    def _after(self, opened: _Opened, out: bytes, *, ended: bool) -> bytes:
        """What leaves after a piece that made `out`. Raises UpstreamFault when it said that the stream broke."""
        passage = opened.passage
        if passage.error is not None:
            fault = judged(200, {"error": passage.error})
            self._ready = out
            raise fault
        if passage.done or (ended and passage.finished):
            return out + self._complete(opened)
        if ended:
            raise UpstreamFault(Outcome.TRUNCATED, "the stream ended without a finish_reason")
        return out

    async def _interrupted(self, opened: _Opened, fault: UpstreamFault) -> bytes:
        """The stream broke after its commit: go on elsewhere if that was asked for, else the one error event."""
        before, self._ready = self._ready, b""
        walk = self._walk
        opened.reply.close()
        outcome = fault.outcome
        if outcome is Outcome.RESET_BEFORE_COMMIT:
            outcome = Outcome.RESET_AFTER_COMMIT
        status = fault.status_code if outcome is Outcome.IN_BAND_ERROR else opened.reply.status
        self._sent += opened.passage.text
        self._textual = self._textual and opened.passage.textual
        walk.settle(outcome, status, error=fault.error)
        if not self._chats or (self._continues and not self._textual):
            self._continues = False
            return before + self._fail()
        try:
            await self._open()
        except Refusal:
            return before + self._fail()
        except BaseException:
            self._opened = None
            self._finish(499)
            raise
        ready, self._ready = self._ready, b""
        return before + ready

    def _fail(self) -> bytes:
        """The one error event, with the attempts in it, and the end."""
        self._opened = None
        self._walk.stop_clock()
        body = interrupted(self.record).body()
        self._finish(200)
        return event(body)

    def _complete(self, opened: _Opened) -> bytes:
        """The held last chunk with the record in it, and [DONE]."""
        self._ended = True
        passage, walk = opened.passage, self._walk
        record = walk.record
        record.usage = passage.usage
        walk.settle(Outcome.SUCCESS, opened.reply.status, tokens=completion_tokens(passage.usage))
        walk.stop_clock()
        if passage.malformed:
            record.warnings.append(
                Warned(
                    "malformed_events", f"{passage.malformed} malformed event(s) were passed over", passage.malformed
                )
            )
        metadata = record.metadata()
        if passage.usage is not None:
            metadata["usage"] = passage.usage
        last = passage.held if passage.held is not None else _closing(record, opened.target, self._errand)
        ended = event(spliced(last, metadata, opened.target, without_usage=not self._wants_usage)) + END
        self._finish(200)
        return ended

    async def _drain(self, opened: _Opened) -> None:
        """Read on to the clean end, which is mostly there already, so that the connection can be used again."""
        self._opened = None
        try:
            async with asyncio.timeout(DRAIN_S):
                while await opened.reply.read():
                    pass
        except (TimeoutError, UpstreamFault):
            pass  # the answer is complete: what comes behind it does not matter
        finally:
            opened.reply.close()

    def _continued(self) -> str | None:
        """The text to be continued, None for a fresh answer."""
        return "".join(self._sent) if any(attempt.committed for attempt in self.record.attempts) else None

    def _finish(self, status: int) -> None:
        self._walk.finish(status)

    @staticmethod
    def _cut(reply: Reply | None) -> None:
        if reply is not None:
            reply.close()


def _let_go(late: _Opened) -> None:
    late.reply.close()


def _late() -> UpstreamFault:
    return UpstreamFault(Outcome.DEADLINE, "the deadline passed in the middle of the stream")


def _feed(events: EventReader, passage: Passage, data: bytes) -> bytes:
    try:
        return passage.feed(events.feed(data) if data else events.end())
    except EventTooLong as fault:
        raise UpstreamFault(Outcome.MALFORMED_RESPONSE, str(fault)) from None
    except Diverged:
        message = "the restarted answer does not begin with the text already sent"
        raise UpstreamFault(Outcome.OTHER, message) from None


async def _not_a_stream(reply: Reply, kind: str) -> UpstreamFault:
    """A success that is no event stream: an error in JSON, a captive portal."""
    if kind.startswith("application/json"):
        body = await reply.body()
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if isinstance(document, dict) and document.get("error") is not None:
            return judged(200, document)
    shown = kind.partition(";")[0][:50]
    return UpstreamFault(Outcome.MALFORMED_RESPONSE, f"a stream was asked for, {shown} came", status_code=reply.status)


def _closing(record: Record, target: str, errand: Errand) -> bytes:
    """A last chunk for a provider that sent none to carry the record."""
    created = int(errand.clock.wall())
    kind = (b"chatcmpl", b"chat.completion.chunk") if errand.path == CHAT else (b"cmpl", b"text_completion")
    return b'{"id":"%b-%b","object":"%b","created":%d,%b,"choices":[]}' % (
        kind[0],
        record.generation_id.encode(),
        kind[1],
        created,
        named(target),
    )
