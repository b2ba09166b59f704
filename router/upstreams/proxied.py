"""The same port through an HTTP(S) proxy, over aiohttp: for houses whose only way out is one.

The proxy is the operator's choice and may be private; the address behind it is the proxy's to judge, so the egress
guard sees only targets that are written as addresses.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.request import getproxies_environment, proxy_bypass

from policies import Outcome, Timeouts

from .base import Call, Reply, UpstreamFault, read_whole
from .egress import refusal
from .http1 import Address
from .openai_http import FORWARDED, USER_AGENT, checked_headers, checked_key

if TYPE_CHECKING:
    import aiohttp

_MAX_FIELD_BYTES = 64 * 1024


def proxy_for(base_url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for this base URL, if any."""
    address = Address.parse(base_url)
    proxies = getproxies_environment()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(f"{address.host}:{address.port}"):
        return None
    return proxy


class ProxiedUpstream:
    """An `Upstream` behind `proxy` (`http://[user:word@]host:port`)."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        proxy: str,
        headers: Mapping[str, str] | None = None,
        allow_private: bool = False,
        max_inflight: int = 1024,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Raises ValueError (what, where, remedy) for a URL, key or header that cannot be used."""
        self.address = Address.parse(base_url)
        refused = refusal(self.address.host, allow_private=allow_private)
        if refused not in (None, "not an IP address"):
            raise ValueError(f"base_url: {self.address.host!r} is {refused}")
        if not proxy.startswith(("http://", "https://")):
            raise ValueError("proxy: must begin with http:// or https://")
        self._proxy = proxy
        self._own = {"user-agent": USER_AGENT, **checked_headers(headers or {})}
        if (key := checked_key(api_key)) is not None:
            self._own.setdefault("authorization", f"Bearer {key}")
        self._max_inflight = max_inflight
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def send(self, call: Call) -> Reply:
        """See `Upstream.send`."""
        import aiohttp  # noqa: PLC0415  nobody without a proxy pays for it

        session = self._session or self._open()
        headers = {**self._own, "content-type": call.content_type, "accept-encoding": "identity"}
        headers.update({k: v for k, v in call.headers.items() if k in FORWARDED and k not in self._own})
        if call.credential is not None:
            headers["authorization"] = f"Bearer {call.credential}"
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise UpstreamFault(Outcome.BAD_REQUEST, "headers must be printable ASCII")
        limits = call.timeouts
        url = f"{self.address.scheme}://{self.address.authority}{self.address.path}{call.path}"
        try:
            async with asyncio.timeout(limits.connect_s + limits.first_token_s):
                answer = await session.post(
                    url,
                    data=call.body,
                    headers=headers,
                    proxy=self._proxy,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _fault(error) from None  # its text may show the proxy's password
        return ProxiedReply(answer, limits)

    async def aclose(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_inflight, ssl=self._ssl or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=_MAX_FIELD_BYTES,
            max_field_size=_MAX_FIELD_BYTES,
        )
        return self._session


class ProxiedReply:
    """A `Reply` over an aiohttp response."""

    def __init__(self, answer: "aiohttp.ClientResponse", limits: Timeouts) -> None:
        self._answer = answer
        self.idle_s = limits.idle_s
        self.status = answer.status
        fields: dict[str, str] = {}
        for name, value in answer.headers.items():
            if value.isascii() and value.isprintable():
                key = name.lower()
                fields[key] = f"{fields[key]}, {value}" if key in fields else value
        self.headers: Mapping[str, str] = fields

    async def read(self) -> bytes:
        """See `Reply.read`."""
        import aiohttp  # noqa: PLC0415

        try:
            async with asyncio.timeout(self.idle_s):
                return await self._answer.content.readany()
        except TimeoutError:
            self.close()
            raise UpstreamFault(Outcome.IDLE_TIMEOUT, f"nothing arrived for {self.idle_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.close()
            raise _fault(error, body=True) from None

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """See `Reply.body`."""
        return await read_whole(self, limit_bytes)

    def close(self) -> None:
        """See `Reply.close`."""
        self._answer.close()  # what was read to its end has gone back to the pool by itself


def _fault(error: Exception, *, body: bool = False) -> UpstreamFault:
    """One of aiohttp's errors in our words, without its text."""
    import aiohttp  # noqa: PLC0415

    match error:
        case aiohttp.ClientProxyConnectionError():
            return UpstreamFault(Outcome.CONNECT_REFUSED, "the proxy cannot be reached")
        case aiohttp.ClientHttpProxyError():
            return UpstreamFault(Outcome.CONNECT_REFUSED, f"the proxy answered {error.status}")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamFault(Outcome.DNS, "the proxy's host name cannot be resolved")
        case aiohttp.ClientSSLError():
            return UpstreamFault(Outcome.TLS, "no trusted TLS connection")
        case aiohttp.ConnectionTimeoutError():
            return UpstreamFault(Outcome.CONNECT_TIMEOUT, "no connection in time")
        case TimeoutError():
            return UpstreamFault(Outcome.HEADER_TIMEOUT, "no answer in time")
        case aiohttp.ClientPayloadError() if "decode" in str(error.__cause__ or error).lower():
            return UpstreamFault(Outcome.DECODE_ERROR, "the body is not what its content-encoding says")
        case aiohttp.ClientPayloadError():
            return UpstreamFault(Outcome.TRUNCATED, "the body broke off")
        case aiohttp.ClientResponseError():
            return UpstreamFault(Outcome.MALFORMED_RESPONSE, "the answer is not HTTP/1.1")
        case _:
            when = "in the body" if body else "before the answer"
            return UpstreamFault(Outcome.RESET_BEFORE_COMMIT, f"the connection ended {when}")
