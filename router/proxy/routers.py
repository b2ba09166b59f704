"""Saved routers over `/router/v1/routers`, in Inworld's nested spelling, and operations as Inworld answers them.

Create and update answer an operation that is already done and whose name can be polled for a while; invalid input is
an HTTP 400, never a failed operation. An update changes the top-level fields its mask names (or that are present);
lists are replaced whole.
"""

import datetime as dt
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from policies import PolicyError
from router.config import ConfigError, RouterFile
from router.config.inworld import camel, from_inworld, snake, to_inworld

from .documents import JsonObject
from .faults import refused

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
RESERVED = ("models",)
FIELDS = ("displayName", "defaults", "routes", "defaultRoute")
OWN_FIELDS = ("kind", "unit", "salt", "assign", "hash", "fallbacks", "intents", "experiment", "profile", "timeouts",
              "on_interrupt", "attempts", "hedge")  # fmt: skip
SERVER_FIELDS = ("createTime", "updateTime", "etag")
REMEMBERED = 1000
MOST_ROUTES, MOST_VARIANTS = 100, 50
USUAL_PAGE, MOST_PAGE = 50, 1000
TYPE = "type.googleapis.com/ai.inworld.router.v1.RouterOperationMetadata"


class Shelf(Protocol):
    """Where saved routers stand; what is put there is effective at once."""

    def routers(self) -> Mapping[str, RouterFile]:
        """Every router by name."""
        ...

    def put(self, router: RouterFile) -> None:
        """Take over a router. Raises ConfigError or PolicyError (weights, CEL); then nothing has changed."""
        ...

    def remove(self, name: str) -> None:
        """Take a router away."""
        ...


class MemoryShelf:
    """A shelf in this process. `apply` makes a whole set of routers effective or raises as `Shelf.put`."""

    def __init__(self, routers: Mapping[str, RouterFile], apply: Callable[[Mapping[str, RouterFile]], None]) -> None:
        self._routers = dict(routers)
        self._apply = apply

    def routers(self) -> Mapping[str, RouterFile]:
        """Every router by name."""
        return self._routers

    def put(self, router: RouterFile) -> None:
        """Take over a router, or raise and change nothing."""
        changed = {**self._routers, router.router: router}
        self._apply(changed)
        self._routers = changed

    def remove(self, name: str) -> None:
        """Take a router away."""
        changed = {other: router for other, router in self._routers.items() if other != name}
        self._apply(changed)
        self._routers = changed


@dataclass(frozen=True, slots=True)
class Times:
    """When a router was made and last changed (Unix time)."""

    created_s: float
    updated_s: float


class Routers:
    """The resource: create, list, get, update, delete, and the operations that come of it."""

    def __init__(self, shelf: Shelf, *, wall: Callable[[], float]) -> None:
        self._shelf = shelf
        self._wall = wall
        self._started_s = wall()
        self._times: dict[str, Times] = {}
        self._operations: OrderedDict[str, JsonObject] = OrderedDict()

    def create(self, document: JsonObject) -> JsonObject:
        """A new router, as an operation. Raises Refusal 400 or 409."""
        name = name_of(document)
        if name in self._shelf.routers():
            message = f"The router {name!r} exists; PATCH it, or take another name."
            raise refused(409, message, code="already_exists", param="name")
        self._save({**document, "name": name})
        now_s = self._wall()
        self._times[name] = Times(now_s, now_s)
        return self._operation(name)

    def get(self, name: str) -> JsonObject:
        """One router. Raises Refusal 404."""
        router = self._shelf.routers().get(bare(name))
        if router is None:
            raise refused(404, f"There is no router {name[:128]!r}.", code="router_not_found")
        shown: JsonObject = whole_numbers(to_inworld(router))
        times = self._times.get(router.router, Times(self._started_s, self._started_s))
        digest = hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        return {**shown, "createTime": iso(times.created_s), "updateTime": iso(times.updated_s), "etag": f'"{digest}"'}

    def page(self, size: int, token: str, may_see: Callable[[str], bool]) -> JsonObject:
        """Routers by name, after the one the token names."""
        names = [name for name in sorted(self._shelf.routers()) if name > token and may_see(name)]
        shown = names[: min(size, MOST_PAGE)]
        answer: JsonObject = {"routers": [self.get(name) for name in shown]}
        if len(names) > len(shown):
            answer["nextPageToken"] = shown[-1]
        return answer

    def update(self, name: str, document: JsonObject, *, mask: str | None, match: str | None) -> JsonObject:
        """Change the fields a mask names; without one, those present. Raises Refusal 400, 404, 412."""
        current = self.get(name)
        if match not in (None, "", "*", current["etag"]):
            message = "The router has changed since it was read (If-Match does not fit); read it again."
            raise refused(412, message, code="precondition_failed")
        stated = {spelled(key): value for key, value in document.items()}
        if stated.get("name") is not None and bare(str(stated["name"])) != current["name"]:
            raise refused(400, "name cannot be changed; create another router.", code="immutable_field", param="name")
        masked = masked_fields(mask, stated)
        merged = {key: value for key, value in current.items() if key not in SERVER_FIELDS}
        for key in masked:
            if stated.get(key) is None:
                merged.pop(key, None)
            else:
                merged[key] = stated[key]
        self._save(merged)
        created_s = self._times.get(current["name"], Times(self._started_s, 0.0)).created_s
        self._times[current["name"]] = Times(created_s, self._wall())
        return self._operation(current["name"])

    def delete(self, name: str) -> JsonObject:
        """Take a router away. Raises Refusal 404."""
        found = self.get(name)
        self._shelf.remove(found["name"])
        self._times.pop(found["name"], None)
        return {}

    def operation(self, name: str) -> JsonObject:
        """An operation that was answered a while ago. Raises Refusal 404."""
        found = self._operations.get(name)
        if found is None:
            raise refused(404, f"There is no operation {name[:128]!r} (any more).", code="operation_not_found")
        return found

    def _save(self, document: JsonObject) -> None:
        check_sizes(document)
        stated = {key: value for key, value in document.items() if spelled(key) not in SERVER_FIELDS}
        try:
            self._shelf.put(from_inworld(stated))
        except ConfigError as error:
            first = error.findings[0]
            text = "; ".join(
                f"{found.path}: {found.message}" if found.path else found.message for found in error.findings
            )
            code = "invalid_cel" if first.path.endswith("when") else "invalid_router"
            raise refused(400, text, code=code, param=first.path or None) from None
        except PolicyError as error:
            code = "invalid_cel" if "when" in error.path else "invalid_router"
            raise refused(400, str(error), code=code, param=error.place or None) from None

    def _operation(self, router: str) -> JsonObject:
        name = f"operations/{router}-{os.urandom(8).hex()}"
        answer = {"name": name, "metadata": {"@type": TYPE}, "done": True, "response": self.get(router)}
        self._operations[name] = answer
        if len(self._operations) > REMEMBERED:
            self._operations.popitem(last=False)
        return answer


def bare(name: str) -> str:
    """A router's id without the prefixes it is called by."""
    return name.removeprefix("inworld/").removeprefix("routers/").removeprefix("router/")


def name_of(document: Mapping[str, Any]) -> str:
    """The new router's id: as asked, else from the display name, else by chance. Raises Refusal 400."""
    asked = document.get("name")
    if asked is None:
        shown = document.get("displayName", document.get("display_name"))
        slug = re.sub(r"[^a-z0-9]+", "-", shown.lower()).strip("-")[:64] if isinstance(shown, str) else ""
        return slug or f"router-{os.urandom(4).hex()}"
    name = bare(asked) if isinstance(asked, str) else ""
    if not NAME.fullmatch(name) or name in RESERVED:
        message = f"name must match ^[a-z0-9][a-z0-9-]*$ (at most 128 characters) and not be one of {list(RESERVED)}"
        raise refused(400, message, code="invalid_name", param="name")
    return name


def spelled(field: str) -> str:
    """A top-level field's reference spelling, from either case."""
    ours = snake(field)
    return ours if ours in OWN_FIELDS else camel(ours)


def masked_fields(mask: str | None, stated: Mapping[str, Any]) -> list[str]:
    """The top-level fields an update changes. Raises Refusal 400 for nested or unknown ones."""
    if mask is None or not mask.strip():
        return [key for key in stated if key not in ("name", *SERVER_FIELDS)]
    if mask.strip() == "*":
        return [*FIELDS, *OWN_FIELDS]
    fields = [spelled(part.strip()) for part in mask.split(",") if part.strip()]
    wrong = [field for field in fields if field not in FIELDS + OWN_FIELDS]
    if wrong:
        valid = ", ".join(FIELDS + OWN_FIELDS)
        raise refused(
            400, f"update_mask: {wrong[0][:80]!r} is not one of {valid}", code="invalid_mask", param="update_mask"
        )
    return fields


def check_sizes(document: Mapping[str, Any]) -> None:
    """Generous caps. Raises Refusal 400."""
    routes = document.get("routes") or []
    if isinstance(routes, list) and len(routes) > MOST_ROUTES:
        raise refused(400, f"routes: at most {MOST_ROUTES}, has {len(routes)}", code="too_large", param="routes")
    for index, entry in enumerate(routes if isinstance(routes, list) else ()):
        route = entry.get("route", entry) if isinstance(entry, dict) else {}
        variants = route.get("variants") if isinstance(route, dict) else None
        if isinstance(variants, list) and len(variants) > MOST_VARIANTS:
            message = f"routes[{index}].variants: at most {MOST_VARIANTS}, has {len(variants)}"
            raise refused(400, message, code="too_large", param=f"routes[{index}].variants")


def whole_numbers(value: Any) -> Any:
    """JSON with 100 instead of 100.0: readers with integer fields stumble over the point."""
    if isinstance(value, dict):
        return {key: whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def iso(moment_s: float) -> str:
    """Unix time as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(moment_s, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
