"""One decided request as calls: builds each attempt's body, sends it, and judges a whole (JSON) answer.

An empty success is a failure: HTML, malformed JSON, no choices or a choice without anything in it fall back.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec
import orjson

from policies import Attempt, Decision, Outcome, Target, Timeouts, Try

from .answers import Choice, decode
from .clock import Clock
from .observers import Trace
from .splice import spliced, with_form_model
from .upstreams.base import Call, Reply, Upstream, UpstreamFault
from .verdict import failed, judged
from .walk import Walk

CHAT = "/chat/completions"
NO_STREAM_OPTIONS = frozenset({"mistral"})  # providers known to refuse the field: their usage is not asked for
MOST_TOKENS = (("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens"))  # one limit, two names
_FINISHES = ("length", "content_filter", "tool_calls", "function_call")
_KEPT = 64
_FOR_WHOLE: dict[int, tuple[Timeouts, Timeouts]] = {}  # by the id of the first


@dataclass(slots=True)
class Errand:
    """What is to be sent: the same for every attempt but for the target's name."""

    path: str
    decision: Decision
    upstreams: Mapping[str, Upstream]
    clock: Clock
    document: Mapping[str, Any] | None = None  # parsed JSON, or
    body: bytes = b""  # anything else, sent as it is
    content_type: str = "application/json"
    stream: bool = False
    asks_usage: bool = False  # add stream_options.include_usage for our own books
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    trace: Trace | None = None

    def credential_type(self, step: Try, attempts: Sequence[Attempt]) -> str:
        """`byok` while the caller's own key for this target has not been tried."""
        if step.target.provider not in self.credentials:
            return "system"
        tried = any(a.credential_type == "byok" and a.target.name == step.target.name for a in attempts)
        return "system" if tried else "byok"

    def call(self, step: Try, attempts: Sequence[Attempt], *, assistant: str | None = None) -> Call:
        """The attempt as a call. `assistant`: text to be continued by the target (prefill)."""
        target, timeouts = step.target, step.timeouts
        if not self.stream:
            timeouts = _for_whole(timeouts)
        byok = self.credentials and self.credential_type(step, attempts) == "byok"
        credential = self.credentials[target.provider] if byok else None
        if self.document is None:
            multipart = self.content_type.lower().startswith("multipart/")
            body = with_form_model(self.body, target.model) if multipart else self.body
            return self._call(target, timeouts, body, None, credential)
        document = self._document(target)
        if assistant is not None:
            document["messages"] = [*document["messages"], {"role": "assistant", "content": assistant}]
        return self._call(target, timeouts, orjson.dumps(document), document, credential)

    def _call(
        self,
        target: Target,
        timeouts: Timeouts,
        body: bytes,
        document: Mapping[str, Any] | None,
        credential: str | None,
    ) -> Call:
        headers = self.headers if self.trace is None else self.trace.headers(self.headers)
        return Call(target, self.path, body, document, self.stream, timeouts, self.content_type, headers, credential)

    def _document(self, target: Target) -> dict[str, Any]:
        own = self.document or {}
        decision = self.decision
        if decision.parameters:
            document = {**decision.parameters, **own, "model": target.model}
            for said, other in MOST_TOKENS:
                if said in own and other not in own:
                    document.pop(other, None)
        else:
            document = {**own, "model": target.model}
        if decision.messages:
            document["messages"] = [*decision.messages, *own.get("messages", ())]
        if self.stream and self.asks_usage and target.provider not in NO_STREAM_OPTIONS:
            document["stream_options"] = {**(own.get("stream_options") or {}), "include_usage": True}
        return document

    def upstream(self, target: Target) -> Upstream:
        """Who speaks to the target."""
        upstream = self.upstreams.get(target.provider)
        if upstream is None:
            raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"provider {target.provider!r} is not configured")
        return upstream


def _for_whole(timeouts: Timeouts) -> Timeouts:
    """Limits for an answer that is not streamed: silence is what it is made of until it comes."""
    known = _FOR_WHOLE.get(id(timeouts))
    if known is not None:
        return known[1]
    whole = replace(timeouts, first_token_s=timeouts.answer_s, idle_s=max(timeouts.idle_s, timeouts.answer_s))
    if len(_FOR_WHOLE) >= _KEPT:
        _FOR_WHOLE.clear()
    _FOR_WHOLE[id(timeouts)] = timeouts, whole  # kept, so that nothing else can have its id
    return whole


@dataclass(slots=True)
class Whole:
    """A provider's whole answer."""

    body: bytes
    content_type: str
    usage: Mapping[str, Any] | None
    target: Target
    status: int = 200

    def with_metadata(self, walk: Walk) -> bytes:
        """The body with the record in it, where it is a JSON object."""
        if not self.body.lstrip().startswith(b"{"):
            return self.body
        return spliced(self.body, walk.record.metadata(), self.target.name)


Ask = Callable[[Walk, Errand, Try], Awaitable[Whole]]


async def dispatch(walk: Walk, errand: Errand, ask: Ask | None = None) -> Whole:
    """Walk the plan until a target answers whole. `ask` makes an attempt in another way than the usual one.

    Raises Refusal; finishes the walk either way.
    """
    walk.credential_type = errand.credential_type if errand.credentials else None
    try:
        whole = await walk.open(partial(ask or whole_at_once, walk, errand), _let_go)
        usage = whole.usage
        walk.record.usage = usage
        walk.settle(Outcome.SUCCESS, whole.status, tokens=completion_tokens(usage))
        walk.stop_clock()
    finally:
        walk.finish()
    return whole


def _let_go(_late: Whole) -> None:
    """It was read to its end."""


async def whole_at_once(walk: Walk, errand: Errand, step: Try) -> Whole:
    """Make one attempt that is answered whole. Raises UpstreamFault."""
    call = errand.call(step, walk.record.attempts)
    upstream = errand.upstream(step.target)
    replies: list[Reply] = []
    try:
        limit_s = min(step.timeouts.answer_s, step.timeouts.total_s)
        reply, body = await walk.within(limit_s, _fetch(walk, upstream, call, replies))
    except TimeoutError:
        if not replies:
            raise UpstreamFault(Outcome.HEADER_TIMEOUT, f"no answer within {step.timeouts.answer_s:g} s") from None
        raise UpstreamFault(
            Outcome.IDLE_TIMEOUT, f"no whole answer within {step.timeouts.answer_s:g} s", status_code=replies[0].status
        ) from None
    except UpstreamFault as fault:
        if replies and fault.status_code is None:
            fault.status_code = replies[0].status
        raise
    finally:
        for opened in replies:
            opened.close()
    return judge(errand, step.target, reply, body)


async def _fetch(walk: Walk, upstream: Upstream, call: Call, replies: list[Reply]) -> tuple[Reply, bytes]:
    """The reply and its body; `replies` holds what there is to close, whatever happens."""
    reply = await upstream.send(call)
    replies.append(reply)
    if reply.status < 300:
        walk.first_token()
    return reply, await reply.body()


def judge(errand: Errand, target: Target, reply: Reply, body: bytes) -> Whole:
    """The answer, or the fault it amounts to."""
    status, content_type = reply.status, reply.headers.get("content-type", "application/json")
    if not 200 <= status < 300:
        raise failed(status, reply.headers, body, errand.clock.wall())
    if errand.path != CHAT:
        return _other(target, content_type, body, status)
    try:
        answer = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed(content_type, status) from None
    if answer.error is not None:
        raise judged(200, {"error": answer.error})
    if not answer.choices or not any(_says(choice) for choice in answer.choices):
        raise UpstreamFault(Outcome.EMPTY_RESPONSE, "the answer is empty", status_code=status)
    return Whole(body, "application/json", answer.usage, target, status)


def _says(choice: Choice) -> bool:
    message = choice.message
    if message is None:
        return bool(choice.text)
    return bool(
        message.get("content")
        or message.get("tool_calls")
        or message.get("refusal")
        or message.get("audio")
        or message.get("function_call")
        or message.get("reasoning_content")
        or choice.finish_reason in _FINISHES
    )


def _other(target: Target, content_type: str, body: bytes, status: int) -> Whole:
    """An answer of another endpoint: only what is plainly wrong is a fault."""
    if content_type.startswith("text/html"):
        raise _malformed(content_type, status)
    if not content_type.startswith("application/json"):
        return Whole(body, content_type, None, target, status)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _malformed(content_type, status) from None
    if isinstance(document, dict) and document.get("error") is not None:
        raise judged(200, document)
    usage = document.get("usage") if isinstance(document, dict) else None
    return Whole(body, content_type, usage if isinstance(usage, dict) else None, target, status)


def _malformed(content_type: str, status: int) -> UpstreamFault:
    kind = content_type.partition(";")[0][:50]
    return UpstreamFault(
        Outcome.MALFORMED_RESPONSE, f"the answer is not the JSON it should be ({kind})", status_code=status
    )


def completion_tokens(usage: Mapping[str, Any] | None) -> int | None:
    """How many tokens were answered, where usage says so."""
    tokens = usage.get("completion_tokens") if usage else None
    return tokens if isinstance(tokens, int) else None
