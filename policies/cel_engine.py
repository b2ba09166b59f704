"""The CEL engine behind the conditions: cel-expr-python, Google's own C++ implementation.

Only this module knows it. Beyond standard CEL a list answers `first()`, `last()`, `get(i)` and `has()`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cel_expr_python import cel

from .cel_tree import Node, parse

NOT_UNICODE = "construction from null"  # what the engine says to a lone surrogate
UNFIT = ("Integer value", "Non-CEL value")


class EngineError(Exception):
    """An expression that cannot be compiled, or has no value."""


class CelBindings:
    """Values of variables, converted by the engine when an expression first asks for them."""

    __slots__ = ("_values", "activation", "mended")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.activation = _environment(frozenset()).Activation(values)
        self.mended = False

    def mend(self) -> None:
        """Replace lone surrogates, which JSON allows and the engine does not."""
        self.activation = _environment(frozenset()).Activation(_mended(self._values))
        self.mended = True


class CelProgram:
    """A compiled and checked expression."""

    __slots__ = ("_expression",)

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def run(self, bindings: CelBindings) -> Any:
        """The value. Raises EngineError for an error value and for a spent iteration budget."""
        try:
            value = self._expression.eval(bindings.activation)
        except RuntimeError as error:
            if bindings.mended or NOT_UNICODE not in str(error):
                raise EngineError(_plain(error)) from None
            bindings.mend()
            return self.run(bindings)
        plain = value.plain_value()
        if plain is True or plain is False:
            return plain
        if value.type() == cel.Type.ERROR:
            raise EngineError(_plain(plain))
        return plain


class CelEngine:
    """Compiles, checks and runs. Holds no state, so there may be any number."""

    def parse(self, expression: str) -> Node:
        """The syntax tree. Raises EngineError on bad syntax."""
        try:
            return parse(_environment(frozenset()).compile(expression, disable_check=True).serialize())
        except TypeError:  # so the binding calls a lone surrogate
            raise EngineError("the expression is not valid Unicode") from None
        except RuntimeError as error:
            raise EngineError(str(error)) from None

    def compile(self, expression: str, variables: frozenset[str]) -> CelProgram:
        """A checked program. Raises EngineError on unknown functions, type errors and a value that is no truth."""
        try:
            compiled = _environment(variables).compile(expression)
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
            given = compiled.return_type().name().lower()
            raise EngineError(f"<input>:1:1: a condition must be true or false, this gives {given}")
        return CelProgram(compiled)

    def bind(self, values: Mapping[str, Any]) -> CelBindings:
        """Values shared by any number of runs."""
        return CelBindings(values)

    def check_pattern(self, pattern: str) -> None:
        """Raises EngineError for a regular expression that `matches` would not take."""
        _matching().run(CelBindings({"pattern": pattern}))


@cache
def _environment(variables: frozenset[str]) -> Any:
    """An environment in which the variables are dynamic."""
    return cel.NewEnv(variables=dict.fromkeys(sorted(variables), cel.Type.DYN), extensions=[_list_methods()])


@cache
def _matching() -> CelProgram:
    return CelProgram(_environment(frozenset({"pattern"})).compile("''.matches(pattern)"))


@cache
def _list_methods() -> Any:
    items = cel.Type.List(cel.Type.DYN)

    def method(name: str, implementation: Any, *parameters: Any, gives: Any = cel.Type.DYN) -> Any:
        overload = cel.Overload(
            f"list_{name}", return_type=gives, parameters=[items, *parameters], is_member=True, impl=implementation
        )
        return cel.FunctionDecl(name, [overload])

    return cel.CelExtension(
        "messages",
        [
            method("first", lambda found: _item(found, 0)),
            method("last", lambda found: _item(found, len(found) - 1)),
            method("get", _item, cel.Type.INT),
            method("has", bool, gives=cel.Type.BOOL),
        ],
    )


def _item(found: Sequence[Any], index: int) -> Any:
    if not 0 <= index < len(found):
        raise IndexError(f"no item {index} in a list of {len(found)}")
    return found[index]


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list) else value


def _plain(error: object) -> str:
    """The engine's words without its status codes, and without the values that it quotes."""
    text = re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", str(error))
    return "a value is outside of the types of CEL" if text.startswith(UNFIT) else text
