"""A condition: a CEL expression, compiled once, that a request matches or does not.

Checked at load: syntax, types, functions that do not exist, regular expressions that are written out. At run time
nothing is an error to the caller: a missing variable or a type mismatch means *not matched*, and the record says why.
Variables are dynamically typed, so a JSON 12 equals a literal 12.0. The engine stops every evaluation after 10,000
iterations by itself.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from .cel_engine import CelBindings, CelEngine, EngineError
from .cel_tree import Constant, Node, calls, free_variables
from .guard import Guard, guards_of

TYPE_NAMES = frozenset(
    {"bool", "bytes", "double", "google", "int", "list", "map", "null_type", "string", "type", "uint"}
)
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_OPERATORS = {"and": "&&", "or": "||", "not": "!"}
_UNSET = re.compile(r'No value with name "(.*)" found in Activation')


class ConditionError(ValueError):
    """An expression that cannot be compiled. `line` and `column` count from 1, inside the expression."""

    def __init__(self, message: str, *, expression: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{line}:{column}: {message}")
        self.message = message
        self.expression = expression
        self.line = line
        self.column = column


class Program(Protocol):
    """A compiled expression."""

    def run(self, bindings: CelBindings) -> Any:
        """The expression's value. Raises EngineError when there is none."""
        ...


class Engine(Protocol):
    """What is asked of a CEL engine."""

    def parse(self, expression: str) -> Node:
        """The syntax tree. Raises EngineError on bad syntax."""
        ...

    def compile(self, expression: str, variables: frozenset[str]) -> Program:
        """Check types and functions, all variables being dynamic. Raises EngineError."""
        ...

    def bind(self, values: Mapping[str, Any]) -> CelBindings:
        """Values shared by any number of runs; those an expression does not ask for are harmless."""
        ...

    def check_pattern(self, pattern: str) -> None:
        """Raise EngineError for a regular expression that cannot be one."""
        ...


class Condition:
    """One compiled expression. Equal when the expression is equal; never changes.

    `guards` must all hold for a match; `guarded` says that they are the whole condition. `always`: the literal `true`.
    """

    __slots__ = ("_program", "_references", "always", "expression", "guarded", "guards")

    def __init__(self, expression: str, engine: Engine | None = None) -> None:
        engine = engine or CelEngine()
        try:
            tree = engine.parse(expression)
            self._references = frozenset(free_variables(tree)) - TYPE_NAMES
            self._program = engine.compile(expression, self._references)
            for pattern in _patterns(tree):
                engine.check_pattern(pattern)
        except EngineError as error:
            raise _located(str(error), expression) from None
        self.expression = expression
        self.guards: tuple[Guard, ...]
        self.guards, self.guarded = guards_of(tree)
        self.always = getattr(tree, "value", None) is True

    def references(self) -> frozenset[str]:
        """The top-level variables the expression asks for."""
        return self._references

    def evaluate(self, bindings: CelBindings) -> tuple[bool, str | None]:
        """Whether it matched, and if it could not be evaluated, why not."""
        try:
            value = self._program.run(bindings)
        except EngineError as error:
            unset = _UNSET.search(str(error))
            return False, missing(unset[1]) if unset else str(error)
        if isinstance(value, bool):
            return value, None
        return False, f"gives {type(value).__name__}, not a truth value"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.expression == self.expression

    def __hash__(self) -> int:
        return hash(self.expression)

    def __repr__(self) -> str:
        return f"Condition({self.expression!r})"


def _patterns(tree: Node) -> Iterator[str]:
    """The regular expressions written out in a condition."""
    for call in calls(tree, "matches"):
        last = call.arguments[-1]
        if isinstance(last, Constant) and isinstance(last.value, str):
            yield last.value


def missing(variable: str) -> str:
    """The record's words for a variable that nobody sent."""
    return f"{variable} is not set"


def _located(message: str, expression: str) -> ConditionError:
    found = _PLACE.search(message)
    if found is None:
        return ConditionError(message, expression=expression)
    line, column, text = found.groups()
    text = re.sub(r" \(in container ''\)$", "", text)
    function = re.match(r"undeclared reference to '(\w+)'$", text)
    if function:
        text = f"no such function {function[1]!r}"
    text = _in_plain_words(text, expression.split("\n")[int(line) - 1][: int(column)])
    return ConditionError(text, expression=expression, line=int(line), column=int(column))


def _in_plain_words(text: str, before: str) -> str:
    """What the parser says, for the slips of people who write Python, SQL or half a line; `before` ends at the slip."""
    if "token recognition error at: '='" in text or "token recognition error at: '= '" in text:
        return "'=' compares nothing; equality is '=='"
    if "'<EOF>'" in text and "expecting <EOF>" not in text:
        return "it ends too early: a value or a closing bracket is missing"
    unexpected = re.search(r"input '(.+?)' expecting", text)
    if unexpected is None:
        return text
    for said in (unexpected[1], *before.split()[-2:-1]):
        if said.lower() in _OPERATORS:
            return f"{said!r} is no operator; write {_OPERATORS[said.lower()]!r}"
    return f"{unexpected[1]!r} is not expected here"
