"""An API in front of chat: its request is read as a chat completion, and what the chat answers is told in its words.

The chat below is the usual one (one decision, one walk, one record); only here are the words exchanged, on their way in
and on their way out, piece by piece.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import orjson

from router.passage import DONE
from router.record import Record
from router.refusal import Refusal
from router.router import Caller, Completion, Stream
from router.sse import EventReader

from .auth import Principal
from .chat import Streamed, answer_whole
from .dialects import count_tokens
from .documents import JsonObject, check_chat, check_depth, parse
from .exchange import Exchange
from .limits import Permit
from .site import NOTHING, Site


class Telling(Protocol):
    """One answer in the words of an API. `take`, then `end` or `fail`, give events; `whole` gives the one object."""

    def whole(self, completion: Mapping[str, Any]) -> JsonObject:
        """A completion as a whole."""
        ...

    def take(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of a chunk."""
        ...

    def end(self) -> bytes:
        """The events of the end."""
        ...

    def fail(self, envelope: Mapping[str, Any], status: int) -> bytes:
        """The events of an end without an answer."""
        ...


Tell = Callable[[str, int], Telling]  # from what ids are made of, and the time it is
Read = Callable[[JsonObject], tuple[JsonObject, Tell]]  # from a request to the chat and to who tells its answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: who asks, for what chat, and who tells its answer."""

    principal: Principal
    caller: Caller
    size_bytes: int
    chat: JsonObject
    tell: Tell

    @classmethod
    async def of(cls, exchange: Exchange, site: Site, read: Read) -> "Asked":
        """Raises Refusal for what cannot be read, and for who may not ask for it."""
        principal = site.known(exchange)
        body = await exchange.body(site.body_limit_bytes)
        document = parse(body)
        check_depth(body, document)
        chat, tell = read(document)
        check_chat(chat)
        caller = site.caller(exchange, principal)
        site.check_scope(principal, chat, caller)
        return cls(principal, caller, len(body), chat, tell)


class Translated:
    """An endpoint of such an API. `read` raises Refusal for what it cannot read."""

    def __init__(self, site: Site, read: Read) -> None:
        self._site = site
        self._read = read

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request. Raises Refusal before the header commit, ClientGone when nobody listens."""
        site = self._site
        asked = await Asked.of(exchange, site, self._read)
        chat, tell = asked.chat, asked.tell
        permit = await site.admit(exchange, asked.principal, size_bytes=asked.size_bytes, document=chat)
        router = site.router
        try:
            if chat.get("stream"):
                streamed = Told(site, exchange, permit, tell)
                await exchange.watched(streamed.serve(partial(told, partial(router.stream, chat, asked.caller), tell)))
            else:
                call = whole(partial(router.complete, chat, asked.caller), tell)
                await exchange.watched(answer_whole(site, exchange, permit, call))
        finally:
            permit.release()


class TokenCount:
    """An endpoint that estimates how many tokens a request of such an API has; nobody is asked."""

    def __init__(self, site: Site, read: Read, more: Mapping[str, str] = NOTHING) -> None:
        """`more`: what the answer says beside the number."""
        self._site = site
        self._read = read
        self._more = more

    async def __call__(self, exchange: Exchange) -> None:
        """Answer. Raises Refusal for a request that cannot be read."""
        asked = await Asked.of(exchange, self._site, self._read)
        await exchange.respond(200, orjson.dumps({**self._more, "input_tokens": count_tokens(asked.chat)}))


async def whole(call: Callable[[], Awaitable[Completion]], tell: Tell) -> Completion:
    """A whole answer in the other words."""
    completion = await call()
    document = parsed(completion.body)
    if document is None:
        message = "The provider's answer cannot be read."
        raise Refusal(502, message, code="upstream_error", kind="upstream_error", record=completion.record)
    completion.body = orjson.dumps(tell(*_named(completion.record)).whole(document))
    return completion


def parsed(content: bytes) -> JsonObject | None:
    """A provider's JSON object; half a character, which chat passes on as it came, becomes `?`. None: not readable."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            text = json.dumps(json.loads(content), ensure_ascii=False)
            document = orjson.loads(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None


async def told(opening: Callable[[], Awaitable[Stream]], tell: Tell) -> "ToldStream":
    """A stream in the other words."""
    stream = await opening()
    return ToldStream(stream, tell(*_named(stream.record)))


class Told(Streamed):
    """A streamed answer whose failure is told in the other words, too."""

    def __init__(self, site: Site, exchange: Exchange, permit: Permit, tell: Tell) -> None:
        super().__init__(site, exchange, permit)
        self._tell = tell

    def error_event(self, refusal: Refusal) -> bytes:
        """How a stream says that it ends without an answer."""
        record = refusal.record
        named = _named(record) if record is not None else (self._exchange.request_id, int(self._site.wall()))
        return self._tell(*named).fail(refusal.document(), refusal.status)


class ToldStream:
    """The router's stream, read chunk by chunk and told in other words."""

    def __init__(self, stream: Stream, telling: Telling) -> None:
        self._stream = stream
        self._telling = telling
        self._events = EventReader()

    @property
    def record(self) -> Record:
        """See `Stream`."""
        return self._stream.record

    @property
    def serving(self) -> str | None:
        """See `Stream`."""
        return self._stream.serving

    @property
    def running_s(self) -> float:
        """See `Stream`."""
        return self._stream.running_s

    async def read(self) -> bytes:
        """Events ready for the client; b"" at the end."""
        while piece := await self._stream.read():
            if events := b"".join(map(self._told, self._events.feed(piece))):
                return events
        return b""

    async def flow(self, forward: Callable[[bytes], bool]) -> None:
        """Nothing goes straight on: every chunk is looked at."""

    def close(self) -> None:
        """See `Stream`."""
        self._stream.close()

    def _told(self, payload: bytes) -> bytes:
        if payload == DONE:
            return self._telling.end()
        chunk = parsed(payload)
        if chunk is None:
            return b""
        if "error" in chunk:
            return self._telling.fail(chunk, 502)
        return self._telling.take(chunk)


def _named(record: Record) -> tuple[str, int]:
    """What ids are made of, and when it began: the record can be found by it."""
    return record.generation_id.replace("-", ""), int(record.wall_s)
