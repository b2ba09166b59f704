"""The playground: one static page at `/` and its files below `/playground/`, without a build step.

Files are read once and looked up by name, never by path, so nothing outside the folder can be reached. The page gets no
key and needs none: what it calls is asked for like any other client. Its policy allows its own files only, and no text
to become markup.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from .exchange import Exchange, Header
from .faults import refused
from .front import Table

ROOT = "/playground/"
PAGE = "index.html"
TYPES = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
SHARED: tuple[Header, ...] = (
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: its bytes, their type, and the tag that names this version."""

    body: bytes
    kind: bytes
    etag: str

    @property
    def headers(self) -> list[Header]:
        """What goes with every answer for this file, 304 included."""
        return [(b"etag", self.etag.encode()), *SHARED]


class Playground:
    """The page and its files."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = assets

    async def page(self, exchange: Exchange) -> None:
        """`GET /`."""
        await self._send(exchange, PAGE)

    async def asset(self, exchange: Exchange) -> None:
        """`GET /playground/{name}`. Raises Refusal 404."""
        await self._send(exchange, exchange.path.removeprefix(ROOT))

    async def _send(self, exchange: Exchange, name: str) -> None:
        asset = self._assets.get(name)
        if asset is None:
            raise refused(404, f"The playground has no file {name[:128]!r}; it begins at '/'.", code="unknown_url")
        if matches(exchange.header("if-none-match"), asset.etag):
            await exchange.begin(304, asset.headers)
            await exchange.write(b"", more=False)
            return
        await exchange.respond(200, asset.body, [(b"content-type", asset.kind), *asset.headers])


def matches(asked: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this version (RFC 9110 §13.1.2, weak comparison)."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in asked.split(","))


def read_assets() -> dict[str, Asset]:
    """Every file of the folder by its name in addresses. Files of other types are left out."""
    found: dict[str, Asset] = {}
    _read(files(__package__) / "static", "", found)
    return found


def _read(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            _read(entry, f"{name}/", found)
        elif (kind := TYPES.get(entry.name.rpartition(".")[2])) is not None:
            body = entry.read_bytes()
            found[name] = Asset(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def add_playground(table: Table) -> None:
    """Serve the page at `/` and its files below `/playground/`."""
    playground = Playground(read_assets())
    table.add("GET", "/", playground.page)
    table.add("GET", ROOT, playground.asset)
