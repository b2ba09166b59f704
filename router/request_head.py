"""What the head of a request says: where it goes and comes from, and whether a WebSocket is wanted."""

import urllib.parse
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

_LONGEST_KEPT = 64  # bytes of an address that is worth remembering

Headers = Sequence[tuple[bytes, bytes]]


def usual_scope(config: Config, transport: Any) -> dict[str, Any]:
    """What the ASGI scopes of one connection have in common."""
    return {
        "type": "http",
        "asgi": {"version": config.asgi_version, "spec_version": "2.3"},
        "http_version": "1.1",
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "scheme": "https" if is_ssl(transport) else "http",
        "root_path": config.root_path,
    }


def split(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, raw path and query."""
    return _known(url) if len(url) <= _LONGEST_KEPT else _split(url)


def asks_websocket(headers: Headers) -> bool:
    """Whether these headers (lower-case names) ask to go on as a WebSocket."""
    tokens: list[bytes] = []
    asked = b""
    for name, value in headers:
        if name == b"connection":
            tokens = [token.lower().strip() for token in value.split(b",")]
        elif name == b"upgrade":
            asked = value.lower()
    return asked == b"websocket" and b"upgrade" in tokens


def written(method: str, url: bytes, headers: Headers) -> bytes:
    """The head as bytes again, for another parser."""
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), url, b"".join(lines))


def _split(url: bytes) -> tuple[str, bytes, bytes]:
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_known = lru_cache(maxsize=256)(_split)
