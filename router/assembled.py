"""A whole answer put together from a stream: only a stream shows whether its first token came in time.

Used while a `fallback.ttft_timeout` holds and JSON was asked for. Nothing is handed on before the answer is complete: a
stream that breaks in the middle still falls back.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from policies import Outcome, Try

from .dispatch import CHAT, Errand, Whole, judge, whole_at_once
from .passage import DONE, MEANINGFUL
from .sse import EventReader, EventTooLong
from .upstreams.base import Reply, UpstreamFault
from .verdict import failed, judged
from .walk import Walk

GRACE_S = 2.0  # for usage and [DONE] once a finish_reason was seen


async def ask(walk: Walk, errand: Errand, step: Try) -> Whole:
    """Make one attempt, as a stream inside where its first token is waited for. Raises UpstreamFault."""
    make = ask_streaming if streams_inside(errand, step) else whole_at_once
    return await make(walk, errand, step)


def streams_inside(errand: Errand, step: Try) -> bool:
    """Whether this attempt of a whole answer is limited by its first token. Speech is not put together here."""
    own_s = errand.decision.plan.limits.first_token_s
    document = errand.document
    return (
        own_s is not None
        and step.timeouts.first_token_s <= own_s
        and errand.path == CHAT
        and document is not None
        and "audio" not in document
    )


async def ask_streaming(walk: Walk, errand: Errand, step: Try) -> Whole:
    """Make one attempt as a stream and give the whole answer. Raises UpstreamFault."""
    inside = replace(errand, document={**(errand.document or {}), "stream": True}, stream=True, asks_usage=True)
    call = inside.call(step, walk.record.attempts)
    answer = Answer()
    reply: Reply | None = None
    try:
        async with asyncio.timeout(step.timeouts.first_token_s) as timer:
            reply = await errand.upstream(step.target).send(call)
            if not 200 <= reply.status < 300:
                raise failed(reply.status, reply.headers, await reply.body(), errand.clock.wall())
            if not reply.headers.get("content-type", "text/event-stream").startswith("text/event-stream"):
                walk.first_token()
                return judge(errand, step.target, reply, await reply.body())
            await _read(walk, reply, answer, timer, step)
    except TimeoutError:
        raise _too_late(answer, step, reply) from None
    except UpstreamFault as fault:
        if reply is not None and fault.status_code is None and fault.outcome is not Outcome.IN_BAND_ERROR:
            fault.status_code = reply.status
        raise
    finally:
        if reply is not None:
            reply.close()
    return Whole(answer.body(), "application/json", answer.usage, step.target, reply.status)


async def _read(walk: Walk, reply: Reply, answer: "Answer", timer: asyncio.Timeout, step: Try) -> None:
    """Read to the end; from the first token on the deadline of the request takes the place of its limit."""
    events, waiting = EventReader(), True
    try:
        while not answer.done and (data := await reply.read()):
            answer.take(events.feed(data))
            if waiting and answer.speaking:
                waiting = False
                walk.first_token()
                timer.reschedule(asyncio.get_running_loop().time() + walk.deadline_s - walk.now_s)
                reply.idle_s = step.timeouts.idle_s
            if answer.finished:
                reply.idle_s = min(reply.idle_s, GRACE_S)
        answer.take(events.end())
    except EventTooLong as fault:
        raise UpstreamFault(Outcome.MALFORMED_RESPONSE, str(fault)) from None
    except UpstreamFault:
        if not answer.finished:
            raise
    if not answer.speaking:
        raise UpstreamFault(Outcome.EMPTY_RESPONSE, "the stream ended without saying anything")
    if not answer.finished:
        raise UpstreamFault(Outcome.TRUNCATED, "the stream ended early")


def _too_late(answer: "Answer", step: Try, reply: Reply | None) -> UpstreamFault:
    status = reply.status if reply is not None else None
    if answer.speaking:
        return UpstreamFault(Outcome.DEADLINE, "the deadline passed in the middle of the answer", status_code=status)
    message = f"no first token within {step.timeouts.first_token_s:g} s"
    return UpstreamFault(Outcome.FIRST_TOKEN_TIMEOUT, message, status_code=status)


class Answer:
    """Chunks of a chat completion on their way to one document."""

    __slots__ = ("_choices", "_top", "done", "finished", "speaking", "usage")

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self.usage: Mapping[str, Any] | None = None
        self.speaking = False  # something meaningful was said
        self.finished = False  # a finish_reason was seen
        self.done = False

    def take(self, payloads: Iterable[bytes]) -> None:
        """Take over these events; what is no JSON object is passed over. Raises UpstreamFault for an error event."""
        for payload in payloads:
            if payload == DONE:
                self.done = True
                return
            try:
                chunk = orjson.loads(payload)
            except orjson.JSONDecodeError:
                continue
            if not isinstance(chunk, dict):
                continue
            if chunk.get("error") is not None and not self.finished:
                raise judged(200, chunk)
            self._chunk(chunk)

    def body(self) -> bytes:
        """The document as a provider would have answered it."""
        choices = [choice for _, choice in sorted(self._choices.items())]
        document = {**self._top, "object": "chat.completion", "choices": choices}
        return orjson.dumps(document if self.usage is None else {**document, "usage": self.usage})

    def _chunk(self, chunk: Mapping[str, Any]) -> None:
        for name, value in chunk.items():
            if name not in ("choices", "usage", "obfuscation", "error"):
                self._top.setdefault(name, value)
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        for part in chunk.get("choices") or ():
            if isinstance(part, dict):
                self._choice(part)

    def _choice(self, part: Mapping[str, Any]) -> None:
        index = part.get("index") or 0
        fresh = {"index": index, "message": {"role": "assistant", "content": None}, "logprobs": None}
        choice = self._choices.setdefault(index, {**fresh, "finish_reason": None})
        delta = part.get("delta") or {}
        self.speaking = self.speaking or any(delta.get(name) for name in MEANINGFUL)
        _grow(choice["message"], delta)
        if part.get("logprobs"):
            choice["logprobs"] = choice["logprobs"] or {}
            _grow(choice["logprobs"], part["logprobs"])
        if part.get("finish_reason") is not None:
            choice["finish_reason"] = part["finish_reason"]
            self.finished = True
            self.speaking = self.speaking or part["finish_reason"] in ("length", "content_filter")


def _grow(whole: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta: texts grow, lists get longer (parts with an index grow in their place), the rest stays as it was."""
    for name, value in delta.items():
        before = whole.get(name)
        if before is None:
            before = whole[name] = _empty(value)
        if name in ("role", "id", "type"):
            whole[name] = value
        elif isinstance(value, str):
            whole[name] = before + value
        elif isinstance(value, dict):
            _grow(before, value)
        elif isinstance(value, list):
            for entry in value:
                _add(before, entry)


def _empty(value: Any) -> Any:
    return type(value)() if isinstance(value, str | dict | list) else value


def _add(entries: list[Any], entry: Any) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("index"), int):
        entries.append(entry)
        return
    if entry["index"] >= len(entries):
        entries.append({})
    _grow(entries[min(entry["index"], len(entries) - 1)], {part: entry[part] for part in entry if part != "index"})
