"""An answer that is passed on as it comes: speech, transcripts in events, images in parts.

The first bytes commit: before them targets may change freely, afterwards a failure is one error event where the answer
is an event stream, else the end of the answer is missing and the reader sees a connection cut short.
"""

import asyncio

import orjson

from policies import Outcome, Try

from .dispatch import Errand
from .ending import interrupted
from .record import Record
from .refusal import Refusal
from .sse import EventReader, EventTooLong, event
from .upstreams.base import Reply, UpstreamFault
from .verdict import failed, judged
from .walk import Walk

EVENTS = "text/event-stream"


class CutShort(Exception):  # noqa: N818  an event; the record says whose fault it was
    """The answer broke off after its first bytes and its format has no word for that."""


class Flow:
    """An answer whose first bytes have arrived. Read by one task."""

    def __init__(self, walk: Walk, errand: Errand) -> None:
        self._walk = walk
        self._errand = errand
        self._reply: Reply | None = None
        self._first = b""
        self._target: str | None = None
        self.status = 200
        self.content_type = "application/octet-stream"
        walk.credential_type = errand.credential_type if errand.credentials else None

    @property
    def record(self) -> Record:
        """The record, complete once `read` has given b""."""
        return self._walk.record

    @property
    def serving(self) -> str | None:
        """The target of the attempt that runs, which the record does not list yet."""
        return self._target

    @property
    def running_s(self) -> float:
        """How long the attempt that runs has been running."""
        return self._walk.running_s

    async def open(self) -> None:
        """Walk until a target's first bytes are there. Raises Refusal; being cancelled ends the walk."""
        try:
            self._reply = await self._walk.open(self._attempt)
        except Refusal as refusal:
            self._walk.finish(refusal.status)
            raise
        except BaseException:
            self._walk.finish(499)
            raise
        self.status = self._reply.status
        self.content_type = self._reply.headers.get("content-type", self.content_type)

    async def read(self) -> bytes:
        """What has come since; b"" at the end. Raises CutShort."""
        first, self._first = self._first, b""
        reply = self._reply
        if first or reply is None:
            return first
        try:
            piece = await reply.read()
        except UpstreamFault as fault:
            return self._broken(fault)
        except asyncio.CancelledError:
            self.close()
            raise
        if not piece:
            self._over(Outcome.SUCCESS)
        elif self._walk.now_s > self._walk.deadline_s:
            return self._broken(UpstreamFault(Outcome.DEADLINE, "the deadline passed in the middle of the answer"))
        return piece

    def close(self) -> None:
        """Stop reading: cuts the upstream at once (cancelled_by_client) when the end was not reached. Repeatable."""
        reply, self._reply, self._first = self._reply, None, b""
        if reply is not None:
            reply.close()
        self._walk.finish(499)

    async def _attempt(self, step: Try) -> Reply:
        reply: Reply | None = None
        try:
            async with asyncio.timeout(step.timeouts.first_token_s):
                reply = await self._errand.upstream(step.target).send(self._errand.call(step, self.record.attempts))
                self._first = await self._judged(reply)
        except TimeoutError:
            message = f"no first byte within {step.timeouts.first_token_s:g} s"
            raise UpstreamFault(Outcome.FIRST_TOKEN_TIMEOUT, message, status_code=_cut(reply)) from None
        except UpstreamFault as fault:
            status = _cut(reply)
            fault.status_code = status if fault.status_code is None else fault.status_code
            raise
        except BaseException:
            _cut(reply)
            raise
        self._target = step.target.name
        self._walk.first_token(committed=True)
        return reply

    async def _judged(self, reply: Reply) -> bytes:
        """The first bytes worth passing on. Raises UpstreamFault for an answer that is none."""
        if not 200 <= reply.status < 300:
            raise failed(reply.status, reply.headers, await reply.body(), self._errand.clock.wall())
        kind = reply.headers.get("content-type", "")
        if kind.startswith("text/html"):
            raise UpstreamFault(Outcome.MALFORMED_RESPONSE, "a page came instead of an answer")
        if kind.startswith("application/json"):
            first = told = await reply.body()
        else:
            first, told = await reply.read(), b""
        if kind.startswith(EVENTS):
            payloads = _events(first)
            while not payloads and (more := await reply.read()):
                first += more
                payloads = _events(first)
            told = payloads[0] if payloads else b""
        if not first or (not told and kind.startswith(EVENTS)):
            raise UpstreamFault(Outcome.EMPTY_RESPONSE, "the answer is empty")
        _refuse_error(told)
        return first

    def _broken(self, fault: UpstreamFault) -> bytes:
        outcome = fault.outcome
        if outcome is Outcome.RESET_BEFORE_COMMIT:
            outcome = Outcome.RESET_AFTER_COMMIT
        self._over(outcome, fault)
        if not self.content_type.startswith(EVENTS):
            raise CutShort
        return event(interrupted(self.record).body())

    def _over(self, outcome: Outcome, fault: UpstreamFault | None = None) -> None:
        reply, self._reply = self._reply, None
        self._walk.settle(outcome, self.status, error=fault.error if fault is not None else None)
        self._walk.finish(self.status)
        self._target = None
        if reply is not None:
            reply.close()


def _events(data: bytes) -> list[bytes]:
    try:
        return EventReader().feed(data)
    except EventTooLong as fault:
        raise UpstreamFault(Outcome.MALFORMED_RESPONSE, str(fault)) from None


def _refuse_error(told: bytes) -> None:
    """An error in place of an answer, with status 200."""
    if b'"error"' not in told:
        return
    try:
        document = orjson.loads(told)
    except orjson.JSONDecodeError:
        return
    if isinstance(document, dict) and document.get("error"):
        raise judged(200, document)


def _cut(reply: Reply | None) -> int | None:
    """Cut the reply; its status."""
    if reply is None:
        return None
    reply.close()
    return reply.status
