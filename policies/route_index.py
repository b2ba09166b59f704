"""Routes in order, tested in order, without testing those that a table of guards has already turned away.

Every decision shares one set of bindings, made when the first condition is really evaluated. The messages are only
converted when some condition of the router asks for them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .cel_engine import CelBindings, CelEngine
from .condition import missing
from .decision import TestedCondition
from .facts import Facts
from .guard import MISSING, kind_of, read
from .route import Route

ALWAYS = "true"
KINDS_OF_TYPES: Mapping[type, str] = {str: "text", bool: "truth", int: "number", float: "number"}
SHARED_RECORDS = 256

Tested = tuple[TestedCondition, ...]


class RouteIndex:
    """The conditions of one router."""

    __slots__ = ("_always_test", "_asked", "_engine", "_records", "_routes", "_tables", "_unmatched", "_watching")

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._engine = CelEngine()
        self._asked = frozenset[str]().union(*(route.condition.references() for route in routes if route.condition))
        self._tables: dict[str, dict[str, dict[Any, int]]] = {}  # variable -> kind -> word -> routes as bits
        self._watching: dict[str, list[int]] = {}  # variable -> routes whose guard reads it
        self._always_test = 0
        for position, route in enumerate(self._routes):
            self._add(position, route)
        self._unmatched = tuple(_record(route, matched=False) for route in self._routes)
        self._records: dict[tuple[str, ...], Tested] = {(): self._unmatched}

    def _add(self, position: int, route: Route) -> None:
        guard = route.condition.guard if route.condition else None
        if guard is None:
            self._always_test |= 1 << position
            return
        table = self._tables.setdefault(guard.variable, {"text": {}, "truth": {}, "number": {}})
        self._watching.setdefault(guard.variable, []).append(position)
        for word in guard.words:
            words = table[kind_of(word) or ""]
            words[word] = words.get(word, 0) | 1 << position

    def first(self, facts: Facts) -> tuple[Route | None, Tested]:
        """The first route that matches, and every condition tested up to it."""
        candidates, records = self._sift(facts)
        bindings: CelBindings | None = None
        failed: dict[int, TestedCondition] = {}
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            position = lowest.bit_length() - 1
            route = self._routes[position]
            matched, error = True, None
            if route.condition is not None and not route.condition.always:
                bindings = bindings or self._engine.bind(self._values(facts))
                matched, error = route.condition.evaluate(bindings)
            if matched:
                return route, (*_with(records[:position], failed), _record(route, matched=True))
            if error is not None:
                failed[position] = _record(route, matched=False, error=error)
        return None, _with(records, failed)

    def _sift(self, facts: Facts) -> tuple[int, Tested]:
        """Routes that may match, as bits, and the records of those that do not."""
        candidates, absent = self._always_test, []
        for variable, by_kind in self._tables.items():
            value = read(variable, facts)
            if value is MISSING:
                absent.append(variable)
            elif type(value) in KINDS_OF_TYPES:
                candidates |= by_kind[KINDS_OF_TYPES[type(value)]].get(value, 0)
        return candidates, self._unset(tuple(absent)) if absent else self._unmatched

    def _unset(self, absent: tuple[str, ...]) -> Tested:
        """The records when these variables are not set; shared between decisions as long as there are few sets."""
        found = self._records.get(absent)
        if found is None:
            records = list(self._unmatched)
            for variable in absent:
                for position in self._watching[variable]:
                    records[position] = _record(self._routes[position], matched=False, error=missing(variable))
            found = tuple(records)
            if len(self._records) < SHARED_RECORDS:
                self._records[absent] = found
        return found

    def _values(self, facts: Facts) -> dict[str, Any]:
        """Every variable a condition may ask for; built-ins win over metadata keys of the same name."""
        values = dict(facts.metadata)
        values["protocol"] = facts.protocol
        if facts.user is not None:
            values["user"] = facts.user
        if "metadata" in self._asked:
            values["metadata"] = dict(facts.metadata)
        if "voice" in self._asked:
            values["voice"] = dict(facts.voice)
        if "messages" in self._asked:
            values["messages"] = [_message(message) for message in facts.messages]
        return values


def _with(records: Tested, failed: Mapping[int, TestedCondition]) -> Tested:
    return tuple(failed.get(position, record) for position, record in enumerate(records)) if failed else records


def _record(route: Route, *, matched: bool, error: str | None = None) -> TestedCondition:
    return TestedCondition(route.id, route.condition.expression if route.condition else ALWAYS, matched, error)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as conditions see it: `content` is text, of a parts array its text parts joined by newline."""
    content = message.get("content")
    if isinstance(content, list | tuple):
        texts = (part.get("text") for part in content if isinstance(part, Mapping))
        content = "\n".join(text for text in texts if isinstance(text, str))
    return {**message, "content": "" if content is None else content}
