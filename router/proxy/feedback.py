"""`POST /v1/router/feedback`: what came of a request, or of a unit, for the experiment that dealt it.

`{"request_id" | "unit", "metric", "value"}`. Metrics are those that `experiment.metrics` of a router names. A request
of somebody else is a 404, as if it were not there. The unit is stored as a hash. With an idempotency key (in the body,
or as a header) a repetition counts once.
"""

import hashlib
import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

import orjson

from router.records.ledger import StoreError
from router.records.rows import Feedback
from router.refusal import Refusal

from .auth import Principal
from .documents import JsonObject, parse
from .exchange import Exchange
from .faults import refused
from .site import Site

FIELDS = ("request_id", "unit", "metric", "value", "idempotency_key")
LONGEST = 512
MOST_BYTES = 16 * 1024
GREATEST = 1e15


class OutcomeBook(Protocol):
    """Where outcomes go."""

    @property
    def kept(self) -> bool:
        """Whether there is anywhere to put one."""
        ...

    def metrics(self) -> Mapping[str, Mapping[str, str]]:
        """Of each router: metric -> kind."""
        ...

    async def find(self, key_id: str | None, request_id: str) -> tuple[str, str | None] | None:
        """Generation id and router of a request of this key, or None. Raises StoreError."""
        ...

    def write(self, feedback: Feedback) -> None:
        """Keep it."""
        ...


class FeedbackDesk:
    """The endpoint."""

    def __init__(self, site: Site, book: OutcomeBook | None) -> None:
        self._site = site
        self._book = book

    async def __call__(self, exchange: Exchange) -> None:
        """Take one outcome; 202, since it is written in a moment. Raises Refusal."""
        principal = self._site.principal(exchange.headers)
        book = self._book
        if book is None or not book.kept:
            message = "No records are kept here (records.url is null), so there is nowhere to put an outcome."
            raise refused(404, message, code="records_not_kept")
        document = parse(await exchange.body(MOST_BYTES))
        _check_names(document)
        metric, unit = _text(document, "metric"), document.get("unit")
        request_id, router = None, None
        if unit is None:
            request_id, router = await self._request(book, principal, _text(document, "request_id"))
        else:
            unit = _text(document, "unit")
        kind = self._kind(book, principal, metric, router if unit is None else "*")
        value = _value(document.get("value"), metric, kind)
        key = _idempotency(document, exchange)
        if key is not None:
            key = hashlib.sha256(orjson.dumps((principal.tenant, metric, key))).hexdigest()[:32]
        book.write(Feedback(metric, value, request_id=request_id, unit=unit, idempotency_key=key))
        said = {"object": "router.feedback", "metric": metric, "value": value, "request_id": request_id}
        await exchange.respond(202, orjson.dumps(said))

    async def _request(self, book: OutcomeBook, principal: Principal, wanted: str) -> tuple[str, str | None]:
        key_id = principal.key.id if principal.key is not None else None
        try:
            found = await book.find(key_id, wanted)
        except (StoreError, ValueError):
            message = "The records cannot be read at the moment; try again."
            raise refused(503, message, code="records_unavailable", headers={"retry-after": "5"}) from None
        if found is None:
            message = f"There is no record of a request {wanted[:128]!r}; give its generation_id or x-request-id."
            raise refused(404, message, code="request_not_found", param="request_id")
        return found

    @staticmethod
    def _kind(book: OutcomeBook, principal: Principal, metric: str, router: str | None) -> str:
        """The kind of a metric that the request's router names ("*": any router of the caller)."""
        every = book.metrics()
        wanted = [name for name in every if principal.may_route(name) and router in ("*", name)]
        named = {one: kind for name in wanted for one, kind in every[name].items()}
        if metric in named:
            return named[metric]
        near = get_close_matches(metric, named, n=1)
        if near:
            hint = f"did you mean {near[0]!r}?"
        elif named:
            hint = f"known are {', '.join(sorted(named))}"
        else:
            hint = "the request met no router" if router is None else "experiment.metrics of the router file names none"
        raise refused(400, f"metric: {metric[:64]!r} is not known; {hint}", code="unknown_metric", param="metric")


def _check_names(document: JsonObject) -> None:
    for name in document:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(FIELDS)}"
            raise refused(400, f"{name[:64]}: is no field of an outcome{hint}", code="unknown_field", param=name[:64])
    if (document.get("unit") is None) == (document.get("request_id") is None):
        message = "request_id: give either request_id or unit, so that it is known whose outcome this is"
        raise refused(400, message, code="invalid_value", param="request_id")


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value or len(value) > LONGEST:
        raise _bad(name, f"must be a text of 1 to {LONGEST} characters")
    return value


def _value(value: Any, metric: str, kind: str) -> float:
    if not isinstance(value, bool | int | float) or not math.isfinite(value) or abs(value) > GREATEST:
        raise _bad("value", "must be a number, or true or false")
    number = float(value)
    if kind == "proportion" and number not in (0.0, 1.0):
        raise _bad("value", f"{metric!r} is a proportion: of one request it is true or false (or 1 or 0)")
    if kind == "count" and (number < 0 or not number.is_integer()):
        raise _bad("value", f"{metric!r} is a count: a whole number from 0 on")
    return number


def _idempotency(document: JsonObject, exchange: Exchange) -> str | None:
    if document.get("idempotency_key") is not None:
        return _text(document, "idempotency_key")
    return exchange.header("idempotency-key")[:LONGEST] or None


def _bad(param: str, message: str) -> Refusal:
    return refused(400, f"{param}: {message}", code="invalid_value", param=param)
