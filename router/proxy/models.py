"""What can be asked for: OpenAI's list, and Inworld's catalogue.

`GET /v1/models`, `GET /v1/models/{id}` (ids contain slashes) and `GET /llm/v1alpha/models`. Routers are listed under
both their names, and only to keys that may use them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from policies import Feature, RoutingTable, Target
from router.router import Router

from .auth import Principal
from .exchange import Exchange
from .faults import refused
from .site import Site

ROUTER_PREFIXES = ("router/", "inworld/")


@dataclass(frozen=True, slots=True)
class Listing:
    """What this configuration offers: targets, routers by name, and other names (aliases, `auto`)."""

    targets: tuple[Target, ...] = ()
    routers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


Listed = Callable[[], Listing]


def listing_of(router: Router) -> Listing:
    """What the router's own table offers: known models of configured providers, and its policies."""
    table = router.state.table
    if not isinstance(table, RoutingTable):
        return Listing()
    return Listing(tuple(table.targets), tuple(table.policies), ("auto",))


class Models:
    """The list endpoints."""

    def __init__(self, site: Site, listed: Listed) -> None:
        self._site = site
        self._listed = listed

    async def every(self, exchange: Exchange) -> None:
        """`GET /v1/models`."""
        principal = self._site.principal(exchange.headers)
        rows = list(self._rows(principal))
        await exchange.respond(200, orjson.dumps({"object": "list", "data": rows}))

    async def one(self, exchange: Exchange) -> None:
        """`GET /v1/models/{id}`. Raises Refusal 404."""
        principal = self._site.principal(exchange.headers)
        wanted = exchange.path.removeprefix("/v1/").removeprefix("models/")
        for row in self._rows(principal):
            if row["id"] == wanted:
                await exchange.respond(200, orjson.dumps(row))
                return
        raise refused(404, f"The model {wanted[:128]!r} does not exist.", code="model_not_found", param="model")

    async def catalogue(self, exchange: Exchange) -> None:
        """`GET /llm/v1alpha/models`."""
        self._site.principal(exchange.headers)
        rows = [inworld_row(target) for target in self._listed().targets]
        await exchange.respond(200, orjson.dumps({"models": rows}))

    def _rows(self, principal: Principal) -> Iterator[dict[str, Any]]:
        created = int(self._site.started_wall_s)
        listing = self._listed()
        for name in unique(listing.names):
            yield openai_row(name, "realtime-router", created)
        for router in listing.routers:
            if principal.may_route(router):
                for prefix in ROUTER_PREFIXES:
                    yield openai_row(prefix + router, "realtime-router", created)
        for target in listing.targets:
            yield openai_row(target.name, target.provider, created)


def unique(names: Iterable[str]) -> Sequence[str]:
    """Names without repetition; patterns are not names."""
    return [name for name in dict.fromkeys(names) if "*" not in name]


def openai_row(name: str, owner: str, created: int) -> dict[str, Any]:
    """A model as OpenAI lists it."""
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


def inworld_row(target: Target) -> dict[str, Any]:
    """A model as Inworld's catalogue shows it; prices in US dollars per token under both spellings in use."""
    inputs = ["text"]
    if Feature.VISION not in target.lacks:
        inputs.append("image")
    if Feature.AUDIO_INPUT not in target.lacks:
        inputs.append("audio")
    outputs = ["text"] if Feature.AUDIO_OUTPUT in target.lacks else ["text", "audio"]
    reasoning = Feature.REASONING not in target.lacks
    spec: dict[str, Any] = {
        "inputModalities": inputs,
        "outputModalities": outputs,
        "capabilities": {
            "functionCalling": Feature.TOOLS not in target.lacks,
            "reasoning": reasoning,
            "reasoningCapability": {"supported": reasoning, "supportedLevels": []},
        },
    }
    if target.context_tokens is not None:
        spec["contextLength"] = target.context_tokens
    if target.max_output_tokens is not None:
        spec["maxCompletionTokens"] = target.max_output_tokens
    row = {
        "model": target.model,
        "provider": target.provider,
        "modelCreator": target.model.partition("/")[0] if "/" in target.model else target.provider,
        "isSupported": True,
        "pricing": {},
        "spec": spec,
    }
    if target.prices is not None:
        read, written = target.prices.input_usd, target.prices.output_usd
        row["pricing"] = {"prompt": read, "completion": written, "promptToken": read, "completionToken": written}
    return row
