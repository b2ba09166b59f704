"""Routes in order, tested in order, without testing those that a table of guards has already turned away.

Every decision shares one set of bindings, made when the first condition is really evaluated. The messages are only
converted when some condition of the router asks for them. Where all that is asked for is text, whole numbers and truth
values (or absent), what came of it is remembered: the same values lead to the same route.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .cel_engine import CelBindings, CelEngine
from .condition import missing
from .decision import TestedCondition
from .facts import Facts
from .guard import BUILT_IN, MISSING, VOICE, Guard, Question, read
from .route import Route
from .sieve import Sieve

ALWAYS = "true"
SHARED_RECORDS = 256
REMEMBERED = 4096  # answers by the values they depend on; then all are forgotten
WHOLE = frozenset({"messages", "metadata", "voice"})  # variables that are no plain value

Tested = tuple[TestedCondition, ...]
Texts = tuple[Any, ...]


class RouteIndex:
    """The conditions of one router."""

    __slots__ = (
        "_all",
        "_asked",
        "_asking",
        "_certain",
        "_depended",
        "_engine",
        "_found",
        "_matched",
        "_names",
        "_records",
        "_routes",
        "_sieves",
        "_unmatched",
    )

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._engine = CelEngine()
        asked = [route.condition.references() if route.condition else frozenset[str]() for route in routes]
        self._asked = frozenset[str]().union(*asked)
        self._asking = tuple((1 << position, names) for position, names in enumerate(asked) if names)
        self._all = (1 << len(self._routes)) - 1
        self._certain = sum(1 << position for position, route in enumerate(routes) if _certain(route))
        by_variable: dict[str, list[tuple[int, Guard]]] = {}
        for position, route in enumerate(self._routes):
            for guard in route.condition.guards if route.condition else ():
                by_variable.setdefault(guard.variable, []).append((1 << position, guard))
        self._sieves = tuple((variable, Sieve(guards)) for variable, guards in by_variable.items())
        self._unmatched = tuple(_record(route, matched=False) for route in self._routes)
        self._matched = tuple(_record(route, matched=True) for route in self._routes)
        self._records: dict[tuple[str, ...], Tested] = {}
        self._names = None if self._asked & WHOLE else tuple(sorted(self._asked.union(by_variable)))
        self._found: dict[Texts, tuple[Route | None, Tested]] = {}
        self._depended: dict[tuple[frozenset[str], Texts], str | None] = {}

    def first(self, facts: Facts) -> tuple[Route | None, Tested]:
        """The first route that matches, and every condition tested up to it."""
        texts = self._texts(facts)
        if texts is None:
            return self._first(facts)
        found = self._found.get(texts)
        if found is None:
            found = self._first(facts)
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[texts] = found
        return found

    def depends(self, facts: Facts, names: frozenset[str]) -> str | None:
        """Which of `names`, none of them set, decides over the first route that may match; None: not one of them."""
        texts = self._texts(facts)
        if texts is None:
            return self._depends(facts, names)
        known = self._depended.get((names, texts), MISSING)
        if known is MISSING:
            if len(self._depended) >= REMEMBERED:
                self._depended.clear()
            known = self._depended[names, texts] = self._depends(facts, names)
        return known  # type: ignore[return-value]  # MISSING is not stored

    def _texts(self, facts: Facts) -> Texts | None:
        """All that the conditions ask for, or None where that is more than a few plain values."""
        if self._names is None:
            return None
        texts: list[Any] = []
        given = facts.metadata
        for name in self._names:
            value = read(name, facts) if name in BUILT_IN or name.startswith(VOICE) else given.get(name, MISSING)
            kind = value.__class__
            if kind is str or value is MISSING:
                texts.append(value)
            elif kind is int or kind is bool:
                texts.append((kind, value))  # Python takes True for 1, a condition does not
            else:
                return None
        return tuple(texts)

    def _first(self, facts: Facts) -> tuple[Route | None, Tested]:
        candidates, certain, records = self._sift(facts)
        bindings: CelBindings | None = None
        failed: dict[int, TestedCondition] = {}
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            position = lowest.bit_length() - 1
            route = self._routes[position]
            matched, error = True, None
            if route.condition is not None and not lowest & certain:
                bindings = bindings or self._engine.bind(self._values(facts))
                matched, error = route.condition.evaluate(bindings)
            if matched:
                return route, (*_with(records[:position], failed), self._matched[position])
            if error is not None:
                failed[position] = _record(route, matched=False, error=error)
        return None, _with(records, failed)

    def _depends(self, facts: Facts, names: frozenset[str]) -> str | None:
        candidates, _, _ = self._sift(facts, but=names)
        asking = candidates & sum(bit for bit, asked in self._asking if not names.isdisjoint(asked))
        bindings = self._engine.bind(self._values(facts)) if asking else None
        while bindings is not None and asking and candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            asking &= ~lowest
            condition = self._routes[lowest.bit_length() - 1].condition
            matched, error = (True, None) if condition is None else condition.evaluate(bindings)
            if matched:
                return None
            unset = next((name for name in names if error == missing(name)), None)
            if unset is not None:
                return unset
        return None

    def _sift(self, facts: Facts, *, but: frozenset[str] = frozenset()) -> tuple[int, int, Tested]:
        """Routes that may match, as bits; those among them that surely do; and the records of those that do not.

        A variable of `but` that is not set turns nothing away: it may yet be found.
        """
        stopped, doubtful, absent = 0, 0, []
        for variable, sieve in self._sieves:
            value = read(variable, facts)
            if value is MISSING and variable in but:
                continue
            if value is MISSING:
                absent.append((variable, sieve.routes))
                stopped |= sieve.routes
            else:
                more, unsure = sieve.stopped(value)
                stopped |= more
                doubtful |= unsure
        records = self._unset(absent) if absent else self._unmatched
        return self._all & ~stopped, self._certain & ~doubtful, records

    def _unset(self, absent: Sequence[tuple[str, int]]) -> Tested:
        """The records when these variables are not set; shared between decisions as long as there are few sets."""
        names = tuple(variable for variable, _ in absent)
        found = self._records.get(names)
        if found is None:
            records = list(self._unmatched)
            for variable, routes in absent:
                for position, route in enumerate(self._routes):
                    if routes >> position & 1:
                        records[position] = _record(route, matched=False, error=missing(variable))
            found = tuple(records)
            if len(self._records) < SHARED_RECORDS:
                self._records[names] = found
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


def _certain(route: Route) -> bool:
    """Whether the guards decide alone: they are the whole condition, and no table holds two of them."""
    condition = route.condition
    if condition is None or condition.always:
        return True
    places = [(guard.variable, guard.test) for guard in condition.guards if guard.test is not Question.IS_NOT]
    return condition.guarded and len(places) == len(set(places))


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
