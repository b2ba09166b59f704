"""A WebSocket to a provider's realtime endpoint: our key, never the client's; the egress guard as for HTTP calls."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from policies import Outcome, Target, Try
from router.config.models import Provider
from router.upstreams.base import UpstreamFault
from router.upstreams.egress import refusal
from router.upstreams.http1 import Address
from router.upstreams.openai_http import USER_AGENT, checked_headers, checked_key
from router.upstreams.proxied import proxy_for
from router.upstreams.resolver import Resolver
from router.upstreams.slots import QUEUE_S, Slots
from router.verdict import failed

from .endings import lost_as

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import ResolveResult

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
HEARTBEAT_S = 10.0  # a peer that answers no ping for half of it is gone
GOODBYE_S = 1.0


class Line:
    """One open connection. Read by one task, written by one."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[bool]", let_go: Callable[[], None]) -> None:
        self._socket = socket
        self._let_go: Callable[[], None] | None = let_go
        self._fault: UpstreamFault | None = None

    async def send(self, frame: bytes) -> None:
        """Hand over a text frame; waits while the provider does not read. Nothing happens when the line is dead."""
        import aiohttp  # noqa: PLC0415  only who relays pays for it

        try:
            await self._socket.send_frame(frame, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, ConnectionError):
            return  # whoever reads will be told

    async def receive(self) -> bytes | None:
        """The next text frame; None for a frame that is no text. Raises UpstreamFault at the end of the line."""
        import aiohttp  # noqa: PLC0415

        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return message.data if isinstance(message.data, bytes) else str(message.data).encode()
        if message.type is aiohttp.WSMsgType.BINARY:
            return None
        if self._fault is not None:
            raise self._fault
        reason = message.extra if message.type is aiohttp.WSMsgType.CLOSE else ""
        raise lost_as(self._socket.close_code, str(reason or ""))

    async def fail(self, fault: UpstreamFault) -> None:
        """Give the line up: whoever reads it gets this fault."""
        self._fault = fault
        await self.close()

    async def close(self, code: int = 1000) -> None:
        """Say goodbye, briefly. May be repeated."""
        let_go, self._let_go = self._let_go, None
        try:
            await self._part(code)
        finally:
            if let_go is not None:
                let_go()

    async def _part(self, code: int) -> None:
        twin = self._twin()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._socket.close(code=code)
        except TimeoutError:
            if twin is not None:  # nobody takes our goodbye, and what waits before it would wait for ever
                with suppress(OSError):
                    twin.shutdown(socket.SHUT_RDWR)
        finally:
            if twin is not None:
                twin.close()

    def _twin(self) -> socket.socket | None:
        """The connection by another name, which is ours whatever becomes of the first."""
        held = self._socket.get_extra_info("socket")
        try:
            return None if held is None else socket.socket(fileno=os.dup(held.fileno()))
        except OSError:
            return None


class RealtimeUpstream:
    """One provider."""

    def __init__(self, name: str, provider: Provider) -> None:
        """Raises ValueError for a provider that has no address, or one that cannot be used."""
        if provider.base_url is None or provider.kind != "openai":
            raise ValueError(f"provider {name!r} has no realtime endpoint: it needs kind openai and a base_url")
        self.address = Address.parse(provider.base_url)
        self.beta = provider.realtime.dialect == "beta"
        self._base_url = provider.base_url.rstrip("/")
        self._private = provider.allow_private
        self._resolver = Resolver(self.address.host, self.address.port, allow_private=provider.allow_private)
        self._proxy = proxy_for(provider.base_url)
        self._slots = Slots(provider.max_inflight or float("inf"))
        key = checked_key(provider.api_key.get_secret_value() if provider.api_key is not None else None)
        self._headers = {"user-agent": USER_AGENT, **checked_headers(provider.headers)}
        if key is not None:
            self._headers.setdefault("authorization", f"Bearer {key}")
        if self.beta:
            self._headers.setdefault("openai-beta", "realtime=v1")
        self._session: aiohttp.ClientSession | None = None

    async def connect(self, step: Try) -> Line:
        """A line to the target of this step, within its time to connect. Raises UpstreamFault."""
        import aiohttp  # noqa: PLC0415

        timeouts = step.timeouts
        await self._slots.enter(min(QUEUE_S, timeouts.first_token_s / 2))
        line: Line | None = None
        try:
            async with asyncio.timeout(timeouts.connect_s):
                await self._guarded()
                opened = await self._opened().ws_connect(
                    f"{self._base_url}/realtime?model={quote(step.target.model, safe='')}",
                    headers=self._headers,
                    proxy=self._proxy,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE_S),
                    decode_text=False,
                )
            line = Line(opened, self._slots.leave)
        except TimeoutError:
            message = f"no realtime session within {timeouts.connect_s:g} s"
            raise UpstreamFault(Outcome.CONNECT_TIMEOUT, message) from None
        except aiohttp.WSServerHandshakeError as error:
            headers = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise failed(error.status, headers, b"", time.time()) from None
        except aiohttp.ClientSSLError:
            raise UpstreamFault(Outcome.TLS, "no trusted TLS connection") from None
        except aiohttp.ClientConnectorError:
            raise UpstreamFault(Outcome.CONNECT_REFUSED, "the provider cannot be reached") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "the connection ended before the answer") from None
        finally:
            if line is None:
                self._slots.leave()
        return line

    async def aclose(self) -> None:
        """Close what is left."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _guarded(self) -> None:
        if self._proxy is None:
            await self._resolver.addresses()
            return
        refused = refusal(self.address.host, allow_private=self._private)
        if refused not in (None, "not an IP address"):
            raise UpstreamFault(Outcome.CONNECT_REFUSED, f"refused by the egress guard: {refused}")

    def _opened(self) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415

        if self._session is None:
            direct = self._proxy is None
            connector = aiohttp.TCPConnector(
                limit=0, use_dns_cache=False, resolver=_guard(self._resolver) if direct else None
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session


def _guard(resolver: Resolver) -> "aiohttp.abc.AbstractResolver":
    """Our resolver as aiohttp wants it: it connects to nothing that the guard has not allowed."""
    from aiohttp.abc import AbstractResolver  # noqa: PLC0415

    class Guarded(AbstractResolver):
        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002  its word
        ) -> "list[ResolveResult]":
            try:
                found = await resolver.addresses()
            except UpstreamFault as fault:
                raise OSError(fault.message) from None
            return [
                {
                    "hostname": host,
                    "host": str(info[4][0]),
                    "port": port,
                    "family": int(info[0]),
                    "proto": 0,
                    "flags": 0,
                }
                for info in found
            ]

        async def close(self) -> None:
            """Nothing is kept open."""

    return Guarded()


class RealtimeUpstreams:
    """The upstreams of a server, each made at its first session, anew when its settings change."""

    def __init__(self, declared: Callable[[], Mapping[str, Provider]]) -> None:
        self._declared = declared
        self._made: dict[str, tuple[Provider, RealtimeUpstream]] = {}
        self._retired: list[RealtimeUpstream] = []

    def of(self, target: Target) -> RealtimeUpstream:
        """Who speaks to a target. Raises UpstreamFault where nobody does."""
        provider = self._declared().get(target.provider)
        if provider is None:
            raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"provider {target.provider!r} is not configured")
        made = self._made.get(target.provider)
        if made is None or made[0] != provider:
            if made is not None:
                self._retired.append(made[1])  # its sessions go on
            try:
                made = provider, RealtimeUpstream(target.provider, provider)
            except ValueError as error:
                raise UpstreamFault(Outcome.MODEL_NOT_FOUND, str(error)) from None
            self._made[target.provider] = made
        return made[1]

    async def aclose(self) -> None:
        """Close all of them."""
        for upstream in (*self._retired, *(one for _, one in self._made.values())):
            await upstream.aclose()
