"""Lean HTTP/1.1 to one origin: connect under the egress guard, reuse warm connections, replay a stale one once.

Redirects are answers like any other and are never followed.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from aiohappyeyeballs import AddrInfoType, start_connection

from policies import Outcome, Timeouts

from .base import UpstreamFault
from .connection import Connection
from .exchange import Exchange, StaleConnectionError
from .pool import Pool
from .resolver import Resolver

HAPPY_EYEBALLS_S = 0.25
_LOCAL_SHORTAGE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL, taken apart and checked."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises ValueError that says what is wrong and never shows user information from the URL."""
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise ValueError("base_url: write it in plain ASCII, without spaces or backslashes")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError("base_url: the host or port is not well formed") from error
        if parts.scheme not in ("http", "https"):
            raise ValueError("base_url: must begin with http:// or https://")
        if "@" in parts.netloc:
            raise ValueError("base_url: must not carry a user name or key; use api_key")
        if parts.query or parts.fragment:
            raise ValueError("base_url: must not have a query or fragment")
        host = (parts.hostname or "").rstrip(".")
        if not host or port == 0 or any(char in host for char in "%/?#,;*<>\"'"):
            raise ValueError("base_url: names no usable host")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"))


class Origin:
    """Sends ready-made requests to one scheme, host and port."""

    def __init__(
        self,
        address: Address,
        *,
        allow_private: bool = False,
        pool: Pool | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.pool = pool or Pool()
        self._resolver = Resolver(address.host, address.port, allow_private=allow_private)
        self._ssl = ssl_context

    async def send(self, request: bytes, timeouts: Timeouts) -> Exchange:
        """Head and body in one piece out, an open exchange back. Raises UpstreamFault."""
        fresh = False
        while True:
            if not self.pool.try_enter():
                await self.pool.enter(min(self.pool.queue_s, timeouts.first_token_s / 2))
            connection = None if fresh else self.pool.take()
            if connection is None:
                try:
                    connection = await self._connect(timeouts.connect_s)
                except BaseException:
                    self.pool.leave()
                    raise
            exchange = Exchange(connection, self._settle)
            try:
                await exchange.open(request, head_s=timeouts.first_token_s, idle_s=timeouts.idle_s)
            except StaleConnectionError:
                fresh = True
            else:
                return exchange

    def close(self) -> None:
        """Close idle connections; those in use end with their exchange."""
        self.pool.close()

    def _settle(self, connection: Connection | None, headers: Mapping[str, str]) -> None:
        if connection is not None:
            self.pool.put(connection, _idle_s(headers.get("keep-alive"), self.pool.idle_s))
        self.pool.leave()

    async def _connect(self, connect_s: float) -> Connection:
        try:
            async with asyncio.timeout(connect_s):
                addresses = await self._resolver.addresses()
                sock = await self._reach(cast("list[AddrInfoType]", addresses))
                return await self._shake_hands(sock)
        except TimeoutError as error:
            self._resolver.forget()
            message = f"{self.address.authority!r} did not answer within {connect_s:g} s"
            raise UpstreamFault(Outcome.CONNECT_TIMEOUT, message) from error

    async def _reach(self, addresses: list[AddrInfoType]) -> socket.socket:
        try:
            sock = await start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_S)
        except OSError as error:
            if error.errno in _LOCAL_SHORTAGE:
                raise UpstreamFault(Outcome.ROUTER_OVERLOADED, "no socket left for the connection") from error
            self._resolver.forget()
            if error.errno == errno.ETIMEDOUT:
                raise TimeoutError from error
            message = f"{self.address.authority!r} cannot be reached: {error.strerror or 'refused'}"
            raise UpstreamFault(Outcome.CONNECT_REFUSED, message) from error
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    async def _shake_hands(self, sock: socket.socket) -> Connection:
        loop = asyncio.get_running_loop()
        secure = self.address.scheme == "https"
        if secure and self._ssl is None:
            self._ssl = await loop.run_in_executor(None, ssl.create_default_context)  # reads files
        try:
            _, connection = await loop.create_connection(
                lambda: cast("Any", Connection(loop)),
                sock=sock,
                ssl=self._ssl if secure else None,
                server_hostname=self.address.host if secure else None,
            )
        except OSError as error:
            sock.close()
            outcome = Outcome.TLS if secure else Outcome.CONNECT_REFUSED
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "connection lost"
            raise UpstreamFault(outcome, f"{self.address.authority!r}: {reason}") from error
        except BaseException:
            sock.close()
            raise
        return cast("Connection", connection)


def _idle_s(keep_alive: str | None, idle_s: float) -> float:
    """How long to keep a connection: our limit, or a little less than the peer's `Keep-Alive: timeout=5`."""
    if keep_alive is None:
        return idle_s
    for part in keep_alive.split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "timeout" and value.isdecimal() and len(value) < 7:
            return max(0.0, min(idle_s, float(value) - 0.5))
    return idle_s
