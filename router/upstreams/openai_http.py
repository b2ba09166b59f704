"""A provider that speaks OpenAI over HTTP: the header block is prepared once, a call adds what is its own.

Keys live in the prepared bytes and nowhere else; no message and no `repr` shows them.
"""

import ssl
from collections.abc import Mapping

from policies import Outcome

from .base import Call, Reply, UpstreamFault
from .http1 import Address, Origin
from .pool import Pool

FORWARDED = frozenset({"accept", "baggage", "idempotency-key", "openai-beta", "traceparent", "tracestate"})
USER_AGENT = "realtime-router"
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding"})
_MAX_PATHS = 64
_JSON = b"application/json"


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Configured headers with lower-case names. Raises ValueError that names the header and never shows its value."""
    checked: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        if not key or not _TOKEN.issuperset(key):
            raise ValueError(f"headers: {name!r} is not a header name")
        if key in _OURS:
            raise ValueError(f"headers: {name!r} is set by the router itself; remove it")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"headers: the value of {name!r} must be printable ASCII")
        checked[key] = value
    return checked


def checked_key(api_key: str | None) -> str | None:
    """A key that can stand in a header. Raises ValueError without showing it."""
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key.strip() == api_key):
        raise ValueError("api_key: must be printable ASCII without surrounding spaces")
    return api_key or None


class OpenAIUpstream:
    """An `Upstream` over our own HTTP/1.1 transport."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        allow_private: bool = False,
        max_inflight: int = 1024,
        idle_s: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Raises ValueError (what, where, remedy) for a URL, key or header that cannot be used."""
        address = Address.parse(base_url)
        pool = Pool(max_inflight=max_inflight, idle_s=idle_s)
        self.origin = Origin(address, allow_private=allow_private, pool=pool, ssl_context=ssl_context)
        own = {"user-agent": USER_AGENT, **checked_headers(headers or {})}
        key = checked_key(api_key)
        self._key_line = _key_line(own.pop("authorization", f"Bearer {key}" if key else None))
        lines = [f"host: {address.authority}", "accept-encoding: identity", *(f"{k}: {v}" for k, v in own.items())]
        self._fixed = ("".join(f"{line}\r\n" for line in lines)).encode("ascii")
        self._names = own.keys() | {"authorization"}
        self._heads: dict[str, bytes] = {}

    async def send(self, call: Call) -> Reply:
        """See `Upstream.send`. The request goes out in one write."""
        head = self._heads.get(call.path) or self._head(call.path)
        extra = self._extra(call)
        kind = _JSON if call.content_type == "application/json" else _line_safe("content-type", call.content_type)
        length = str(len(call.body)).encode()
        request = b"".join(
            (head, b"content-type: ", kind, b"\r\ncontent-length: ", length, b"\r\n", extra, b"\r\n", call.body)
        )
        return await self.origin.send(request, call.timeouts)

    async def aclose(self) -> None:
        """Close idle connections."""
        self.origin.close()

    def _head(self, path: str) -> bytes:
        full = self.origin.address.path + path
        if not path.startswith("/") or not (full.isascii() and full.isprintable()) or " " in full or "#" in full:
            raise UpstreamFault(Outcome.BAD_REQUEST, f"path {path!r} cannot be requested")
        head = f"POST {full} HTTP/1.1\r\n".encode("ascii") + self._fixed
        if len(self._heads) < _MAX_PATHS:
            self._heads[path] = head
        return head

    def _extra(self, call: Call) -> bytes:
        extra = self._key_line if call.credential is None else _key_line(f"Bearer {call.credential}")
        for name, value in call.headers.items():
            if name in FORWARDED and name not in self._names:
                extra += b"%b: %b\r\n" % (name.encode("ascii"), _line_safe(name, value))
        return extra


def _key_line(authorization: str | None) -> bytes:
    """The header that carries a key; empty without one."""
    return b"" if authorization is None else b"authorization: %b\r\n" % _line_safe("authorization", authorization)


def _line_safe(name: str, value: str) -> bytes:
    if not (value.isascii() and value.isprintable()):
        raise UpstreamFault(Outcome.BAD_REQUEST, f"header {name!r} must be printable ASCII")
    return value.encode("ascii")
