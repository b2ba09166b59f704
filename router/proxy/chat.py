"""`POST /v1/chat/completions`: JSON and SSE, on raw ASGI.

The header commit happens at the first piece of a stream or at the first `: ping`; before it a failure is an HTTP
status, after it one error event without `[DONE]`. A client that hangs up cancels the upstream at once. A slow reader
holds the upstream back: nothing is read on while a write waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from router.cycle import header_lines
from router.record import Record
from router.refusal import Refusal
from router.router import Completion

from .documents import check_chat, parse
from .envelopes import envelope
from .exchange import Exchange, encode_headers, header_pairs
from .limits import Permit
from .site import UNLIMITED, Site, reserved, settle, spent
from .wire import EVENT_STREAM, PING, content_type_line, permit_headers, sse_event, summary


class Chat:
    """The chat endpoint."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one chat completion. Raises Refusal before the header commit, ClientGone when nobody listens."""
        site = self._site
        principal = site.known(exchange)
        body = await exchange.body(site.body_limit_bytes)
        document = parse(body)
        check_chat(document)
        caller = site.caller(exchange, principal)
        site.check_scope(principal, document, caller)
        permit = site.admits_freely(exchange, principal)
        if permit is None:
            permit = await reserved(site.limiter, principal, size_bytes=len(body), document=document)
        try:
            if document.get("stream"):
                await exchange.watched(
                    Streamed(site, exchange, permit).serve(partial(site.router.stream, document, caller))
                )
            else:
                await exchange.watched(answer_whole(site, exchange, permit, site.router.complete(document, caller)))
        finally:
            permit.release()


class Pieces(Protocol):
    """A streamed answer being read: the router's `Stream`, or the same in another API's words."""

    @property
    def record(self) -> Record:
        """The record, complete at the end."""
        ...

    @property
    def serving(self) -> str | None:
        """The target of the attempt that runs."""
        ...

    @property
    def running_s(self) -> float:
        """How long it has been running."""
        ...

    async def read(self) -> bytes:
        """Bytes ready for the client; b"" at the end."""
        ...

    async def flow(self, forward: Callable[[bytes], bool]) -> None:
        """Let plain pieces go straight on for a while; optional."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class Streamed:
    """One streamed answer on its way to one client."""

    def __init__(self, site: Site, exchange: Exchange, permit: Permit) -> None:
        self._site = site
        self._exchange = exchange
        self._permit = permit
        self._wrote_s = exchange.started_s

    async def serve(self, opening: Callable[[], Awaitable[Pieces]]) -> None:
        """Open, relay, end."""
        try:
            async with asyncio.TaskGroup() as group:
                pings = group.create_task(self._keep_alive())
                try:
                    await self._open_and_relay(opening)
                finally:
                    pings.cancel()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def error_event(self, refusal: Refusal) -> bytes:
        """How a stream says that it ends without an answer."""
        return sse_event(refusal.body())

    async def _open_and_relay(self, opening: Callable[[], Awaitable[Pieces]]) -> None:
        try:
            stream = await opening()
        except Refusal as refusal:
            settle(self._permit, refusal.record)
            self._site.note(self._exchange, refusal)
            if not self._exchange.committed:
                await refuse(self._exchange, refusal, self._permit)
                return
            await self._exchange.write(self.error_event(refusal), more=False)
            return
        try:
            await self._relay(stream)
        finally:
            stream.close()
            settle(self._permit, stream.record)

    async def _relay(self, stream: Pieces) -> None:
        exchange = self._exchange
        if not exchange.committed:
            known = summary(
                stream.record, started_s=exchange.started_s, serving=stream.serving, running_s=stream.running_s
            )
            await exchange.begin(200, [*EVENT_STREAM, *header_pairs(known), *permit_headers(self._permit)])
        clock, forward = self._site.clock, exchange.forward
        while piece := await stream.read():
            self._wrote_s = clock()
            await exchange.write(piece)
            if forward is not None:
                await stream.flow(self._noted(forward))
        await exchange.write(b"", more=False)

    def _noted(self, forward: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        clock = self._site.clock

        def noted(piece: bytes) -> bool:
            self._wrote_s = clock()
            return forward(piece)

        return noted

    async def _keep_alive(self) -> None:
        """Write a comment after each `ping_s` of silence; proxies cut connections that stay silent."""
        exchange, ping_s = self._exchange, self._site.ping_s
        while True:
            await asyncio.sleep(max(0.001, self._wrote_s + ping_s - self._site.clock()))
            if self._site.clock() - self._wrote_s < ping_s:
                continue
            self._wrote_s = self._site.clock()
            if not exchange.committed:
                await exchange.begin(200, [*EVENT_STREAM, *permit_headers(self._permit)])
            await exchange.write(PING)


async def answer_whole(site: Site, exchange: Exchange, permit: Permit, call: Awaitable[Completion]) -> None:
    """Answer with what the call gives, whole, or with its refusal."""
    try:
        completion = await call
    except Refusal as refusal:
        settle(permit, refusal.record)
        site.note(exchange, refusal)
        await refuse(exchange, refusal, permit)
        return
    settle(permit, completion.record)
    lines = summary(completion.record, started_s=exchange.started_s) + content_type_line(completion.content_type)
    if permit is not UNLIMITED:
        lines += header_lines(permit_headers(permit))
    await exchange.respond_with(completion.status, completion.body, lines)


async def refuse(exchange: Exchange, refusal: Refusal, permit: Permit) -> None:
    """Answer with a refusal of the core: the envelope, its attempts, and the summary in headers."""
    headers = encode_headers(spent(refusal).headers) + permit_headers(permit)
    if refusal.record is not None:
        headers += header_pairs(summary(refusal.record, started_s=exchange.started_s))
    await exchange.respond(refusal.status, envelope(exchange.path, refusal, exchange.request_id), headers)
