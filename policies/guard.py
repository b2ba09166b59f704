"""Necessary tests of a condition that need no engine: most conditions compare a variable with a word or a number.

`tier == "premium" && turns > 3` cannot hold unless `tier` is "premium" and `turns` is above 3. Tables of such guards
find the few routes worth evaluating among hundreds. What a guard turns away does not match; what passes every guard of
a condition that consists of nothing else does.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .cel_tree import Call, Constant, Identifier, Node, Select, Sequence
from .facts import Facts

Word = str | int | float | bool
BUILT_IN = frozenset({"messages", "metadata", "user", "voice", "protocol"})
MISSING = object()
VOICE = "voice."


class Question(StrEnum):
    """What is asked of a variable."""

    IS = "is"  # one of the words
    IS_NOT = "is not"  # none of the words
    ABOVE = ">"  # the one word, a number
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="


COMPARISONS = {"_>_": Question.ABOVE, "_>=_": Question.AT_LEAST, "_<_": Question.BELOW, "_<=_": Question.AT_MOST}
TURNED = {
    Question.ABOVE: Question.BELOW,
    Question.AT_LEAST: Question.AT_MOST,
    Question.BELOW: Question.ABOVE,
    Question.AT_MOST: Question.AT_LEAST,
}


@dataclass(frozen=True, slots=True)
class Guard:
    """A test of one variable (`tier`, `voice.emotion`)."""

    variable: str
    test: Question
    words: tuple[Word, ...]


def guards_of(node: Node) -> tuple[tuple[Guard, ...], bool]:
    """The guards among what must hold, and whether they say all that the condition says."""
    if isinstance(node, Call) and node.function == "_&&_":
        (left, left_all), (right, right_all) = map(guards_of, node.arguments)
        return left + right, left_all and right_all
    guard = _guard_of(node)
    return ((guard,), True) if guard else ((), False)


def _guard_of(node: Node) -> Guard | None:
    match node:
        case Call("_||_", (left, right)):
            return _either(_guard_of(left), _guard_of(right))
        case Call("!_", (Call("@in", (needle, Sequence(parts))),)):
            return _guard(needle, Question.IS_NOT, parts)
        case Call("@in", (needle, Sequence(parts))):
            return _guard(needle, Question.IS, parts)
        case Call("_==_" | "_!=_" as function, (left, right)):
            test = Question.IS if function == "_==_" else Question.IS_NOT
            return _guard(left, test, (right,)) or _guard(right, test, (left,))
        case Call(function, (left, right)) if function in COMPARISONS:
            test = COMPARISONS[function]
            return _compared(left, test, right) or _compared(right, TURNED[test], left)
        case _:
            return None


def _either(one: Guard | None, other: Guard | None) -> Guard | None:
    if one is None or other is None or one.variable != other.variable or {one.test, other.test} != {Question.IS}:
        return None
    return Guard(one.variable, Question.IS, one.words + other.words)


def _compared(subject: Node, test: Question, literal: Node) -> Guard | None:
    number = isinstance(literal, Constant) and kind_of(literal.value) == "number"
    return _guard(subject, test, (literal,)) if number else None


def _guard(subject: Node, test: Question, literals: tuple[Node, ...]) -> Guard | None:
    words = tuple(part.value for part in literals if isinstance(part, Constant) and part.value is not None)
    variable = _variable(subject)
    return Guard(variable, test, words) if variable is not None and len(words) == len(literals) else None


def _variable(node: Node) -> str | None:
    match node:
        case Identifier(name) if name not in ("messages", "metadata", "voice"):
            return name
        case Select(Identifier("metadata"), field, False) if field not in BUILT_IN:
            return field
        case Select(Identifier("voice"), field, False):
            return VOICE + field
        case _:
            return None


def kind_of(value: Any) -> str | None:
    """Values of different kinds are never equal to the engine, though `True == 1` to Python."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else None


def read(variable: str, facts: Facts) -> Any:
    """A guard's variable as an expression would see it, or MISSING."""
    if variable == "user" and facts.user is not None:
        return facts.user
    if variable == "protocol":
        return facts.protocol
    if variable.startswith(VOICE):
        return facts.voice.get(variable.removeprefix(VOICE), MISSING)
    return facts.metadata.get(variable, MISSING)
