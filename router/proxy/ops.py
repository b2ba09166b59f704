"""For operators and the curious: liveness, readiness, version, metrics, explain, and the recent records.

Nothing here ever calls a provider. Records show decisions and attempts, no prompts; a tenant sees its own, everything
else is 404.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

import orjson

from .documents import check_chat, parse
from .exchange import Exchange
from .faults import refused
from .feedback import OutcomeBook
from .site import Site

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
USUAL_SHOWN, MOST_SHOWN = 50, 1000


class RecordBook(Protocol):
    """Recent records as JSON, newest first. `key_id` None is the open router's tenant."""

    def recent(self, key_id: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """The tenant's latest records."""
        ...

    def find(self, key_id: str | None, request_id: str) -> Mapping[str, Any] | None:
        """One record of the tenant, by request id or generation id."""
        ...


@dataclass(slots=True)
class Gauges:
    """What the operator's pages read; without `metrics` there is no /metrics here.

    `readiness` adds fields to /readyz; `{"degraded": true}` stays 200.
    """

    metrics: Callable[[str], tuple[bytes, str]] | None = None
    readiness: Callable[[], Mapping[str, Any]] = dict
    records: RecordBook | None = None
    outcomes: OutcomeBook | None = None


class Ops:
    """The operator's endpoints."""

    def __init__(self, site: Site, gauges: Gauges) -> None:
        self._site = site
        self._gauges = gauges
        self._version = version()

    async def livez(self, exchange: Exchange) -> None:
        """The process runs."""
        await exchange.respond(200, b'{"status":"ok"}')

    async def readyz(self, exchange: Exchange) -> None:
        """Configuration loaded and not draining (503)."""
        shown = dict(self._gauges.readiness())
        if (why := self._site.shedding.why) is not None:
            shown |= {"degraded": True, "shedding": why}
        degraded = bool(shown.get("degraded"))
        status = "draining" if self._site.draining else "degraded" if degraded else "ok"
        body = {
            "status": status,
            "configuration_hash": self._site.router.state.configuration_hash,
            "targets": self._targets(),
            **shown,
        }
        await exchange.respond(503 if self._site.draining else 200, orjson.dumps(body))

    def _targets(self) -> dict[str, Any]:
        """What this process has lately seen of each target it called."""
        now_s = self._site.router.clock.now()
        return {
            name: {
                "state": "resting" if seen.rests_until_s > now_s else "probing" if seen.probing else "ok",
                "latency_ms": round(seen.latency_s * 1000) if seen.latency_s is not None else None,
            }
            for name, seen in sorted(self._site.router.health.snapshot(now_s).items())
        }

    async def version(self, exchange: Exchange) -> None:
        """Version and configuration hash."""
        body = {"version": self._version, "configuration_hash": self._site.router.state.configuration_hash}
        await exchange.respond(200, orjson.dumps(body))

    async def metrics(self, exchange: Exchange) -> None:
        """Prometheus exposition."""
        render = self._gauges.metrics
        if render is None:
            raise refused(404, "Metrics are not served here.", code="unknown_url")
        body, kind = render(exchange.header("accept"))
        await exchange.respond(200, body, [(b"content-type", kind.encode())])

    async def explain(self, exchange: Exchange) -> None:
        """Decision and plan for the body of a chat completion; nothing is called, nothing counted."""
        site = self._site
        principal = site.principal(exchange.headers)
        document = parse(await exchange.body(site.body_limit_bytes))
        check_chat(document, messages_may_be_empty=True)
        document.setdefault("messages", [])
        caller = site.caller(exchange, principal)
        site.check_scope(principal, document, caller)
        await exchange.respond(200, orjson.dumps(site.router.explain(document, caller)))

    async def recent(self, exchange: Exchange) -> None:
        """The caller's latest records, newest first; `?limit=` up to 1000."""
        principal = self._site.principal(exchange.headers)
        limit = limit_of(exchange.scope.get("query_string", b""))
        key_id = principal.key.id if principal.key is not None else None
        found = self._gauges.records.recent(key_id, limit) if self._gauges.records is not None else ()
        await exchange.respond(200, orjson.dumps({"object": "list", "data": list(found)}))

    async def one(self, exchange: Exchange) -> None:
        """One record of the caller's, by request id or generation id."""
        principal = self._site.principal(exchange.headers)
        wanted = exchange.path.removeprefix("/v1/router/requests/")
        key_id = principal.key.id if principal.key is not None else None
        found = self._gauges.records.find(key_id, wanted) if self._gauges.records is not None else None
        if found is None:
            message = f"There is no record of a request {wanted[:128]!r} (only recent ones are kept)."
            raise refused(404, message, code="request_not_found")
        await exchange.respond(200, orjson.dumps(found))


def limit_of(query: bytes) -> int:
    """`limit` of a query string. Raises Refusal 400."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"limit":
            return limit_text(value.decode("latin-1"), "limit", USUAL_SHOWN, MOST_SHOWN)
    return USUAL_SHOWN


def limit_text(text: str, param: str, usual: int, most: int) -> int:
    """A positive whole number, cut at `most`; `usual` when nothing is said. Raises Refusal 400."""
    if not text:
        return usual
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise refused(400, f"{param} must be a whole number above 0", code="invalid_value", param=param)
    return min(int(text), most)


def version() -> str:
    """The installed version of the distribution."""
    try:
        return metadata.version("realtime-router")
    except metadata.PackageNotFoundError:
        return "0.0.0+source"
