"""A sieve: which of many routes may match, found in tables instead of one by one.

Sets of routes are bits of one integer. Per variable, words lead to the routes that want them, and numbers are found by
bisection among sorted thresholds.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from .guard import Guard, Question, Word, kind_of

EXACT = 1 << 53  # beyond this the engine's whole numbers and fractions are not the same numbers any more
KINDS: Mapping[type, str] = {str: "text", bool: "truth", int: "number", float: "number"}


class Thresholds:
    """Routes that compare a variable with a number in one way."""

    __slots__ = ("_from_below", "_limits", "_sets", "routes")

    def __init__(self, test: Question, limits: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(limits)
        self._limits = [limit for limit, _ in ordered]
        rising = test in (Question.ABOVE, Question.AT_LEAST)  # passed by whoever is above: all limits below the value
        sets = [0]
        for _, bits in ordered if rising else reversed(ordered):
            sets.append(sets[-1] | bits)
        self._sets = sets if rising else sets[::-1]
        self._from_below = test in (Question.ABOVE, Question.AT_MOST)
        self.routes = self._sets[-1] | self._sets[0]

    def passed(self, value: float) -> int:
        """The routes whose comparison holds for a number (not NaN)."""
        place = bisect_left if self._from_below else bisect_right
        return self._sets[place(self._limits, value)]


class Sieve:
    """All guards on one variable; `routes` are those that have one."""

    __slots__ = ("_comparing", "_refused", "_thresholds", "_wanted", "routes", "wanting")

    def __init__(self, guards: Iterable[tuple[int, Guard]]) -> None:
        self._wanted: dict[str, dict[Word, int]] = {kind: {} for kind in KINDS.values()}
        self._refused: dict[str, dict[Word, int]] = {kind: {} for kind in KINDS.values()}
        self.wanting = self.routes = 0
        limits: dict[Question, list[tuple[float, int]]] = {}
        for bits, guard in guards:
            self.routes |= bits
            if guard.test in (Question.IS, Question.IS_NOT):
                self.wanting |= bits if guard.test is Question.IS else 0
                self._note(self._wanted if guard.test is Question.IS else self._refused, bits, guard.words)
            else:
                found = limits.setdefault(guard.test, [])
                found.extend((word, bits) for word in guard.words if not isinstance(word, str))
        self._thresholds = tuple(Thresholds(test, found) for test, found in limits.items())
        self._comparing = 0
        for thresholds in self._thresholds:
            self._comparing |= thresholds.routes

    def stopped(self, value: Any) -> tuple[int, int]:
        """The routes that cannot match, the variable having this value, and those that only the engine can judge.

        The engine says what is wrong when something that is no number is compared; huge numbers, and what is not a
        number, have rules of its own.
        """
        kind = KINDS.get(type(value)) or kind_of(value)
        if kind is None:
            return self.wanting, self._comparing
        if kind == "number":
            return self._numeric(value)
        return self.wanting & ~self._wanted[kind].get(value, 0) | self._refused[kind].get(value, 0), self._comparing

    def _numeric(self, value: float) -> tuple[int, int]:
        if not -EXACT < value < EXACT:
            return 0, self.routes
        stopped = self.wanting & ~self._wanted["number"].get(value, 0) | self._refused["number"].get(value, 0)
        for thresholds in self._thresholds:
            stopped |= thresholds.routes & ~thresholds.passed(value)
        return stopped, 0

    def _note(self, table: dict[str, dict[Word, int]], bits: int, words: Iterable[Word]) -> None:
        for word in words:
            noted = table[kind_of(word) or ""]
            noted[word] = noted.get(word, 0) | bits
