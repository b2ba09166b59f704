"""Shapes of JSON values: small checks that name the place and what was expected, with OpenAI's codes and words.

`shape.check(value, path)` returns nothing and raises `Refusal`. None counts as absent in every optional field, as the
SDKs send it so; a field that may be cleared reads it as a clearing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from realtime.protocol import Fault


class Refusal(Exception):  # noqa: N818  a refusal of the client's event, our word for it
    """The client's event is not what it should be."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.fault = Fault(code=code, message=message, param=param)


class Shape(Protocol):
    """Something that can tell whether a JSON value is fine."""

    def check(self, value: Any, path: str) -> None:
        """Raise Refusal when it is not."""
        ...


_KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def wrong_type(path: str, expected: str, value: Any) -> Refusal:
    """The refusal of a value of another kind."""
    got = "null" if value is None else f"{_KINDS.get(type(value), 'something else')} instead"
    return Refusal("invalid_type", f"Invalid type for '{path}': expected {expected}, but got {got}.", path)


def wrong_value(path: str, value: Any, supported: tuple[str, ...]) -> Refusal:
    """The refusal of a value outside of a list."""
    names = ", ".join(f"'{one}'" for one in supported)
    return Refusal("invalid_value", f"Invalid value: '{value}'. Supported values are: {names}.", path)


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    longest: int | None = None

    def check(self, value: Any, path: str) -> None:
        """A string, not too long."""
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if self.longest is not None and len(value) > self.longest:
            message = (
                f"Invalid '{path}': string too long. Expected at most {self.longest} characters, got {len(value)}."
            )
            raise Refusal("string_above_max_length", message, path)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def check(self, value: Any, path: str) -> None:
        """A boolean."""
        if not isinstance(value, bool):
            raise wrong_type(path, "a boolean", value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds."""

    low: float | None = None
    high: float | None = None
    whole: bool = False

    def check(self, value: Any, path: str) -> None:
        """A number, an integer when `whole`, not below `low`, not above `high`."""
        kind = "integer" if self.whole else "decimal"
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            raise wrong_type(path, f"a{'n integer' if self.whole else ' number'}", value)
        if self.low is not None and value < self.low:
            message = f"Invalid '{path}': {kind} below minimum value. Expected a value >= {self.low}, but got {value}."
            raise Refusal(f"{kind}_below_min_value", message, path)
        if self.high is not None and value > self.high:
            message = f"Invalid '{path}': {kind} above maximum value. Expected a value <= {self.high}, but got {value}."
            raise Refusal(f"{kind}_above_max_value", message, path)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some strings."""

    values: tuple[str, ...]

    def check(self, value: Any, path: str) -> None:
        """One of the values."""
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if value not in self.values:
            raise wrong_value(path, value, self.values)


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON."""

    def check(self, value: Any, path: str) -> None:
        """Always fine."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array."""

    of: Shape
    most: int | None = None

    def check(self, value: Any, path: str) -> None:
        """An array of the shape."""
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if self.most is not None and len(value) > self.most:
            message = f"Invalid '{path}': array too long. Expected at most {self.most} elements, got {len(value)}."
            raise Refusal("array_above_max_length", message, path)
        for number, one in enumerate(value):
            self.of.check(one, f"{path}[{number}]")


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with free names."""

    of: Shape
    most: int | None = None
    longest_name: int | None = None

    def check(self, value: Any, path: str) -> None:
        """An object of the shape."""
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        if self.most is not None and len(value) > self.most:
            message = f"Invalid '{path}': too many properties. Expected at most {self.most}, got {len(value)}."
            raise Refusal("object_above_max_properties", message, path)
        for name, one in value.items():
            if self.longest_name is not None and len(name) > self.longest_name:
                message = f"Invalid '{path}': a name is longer than {self.longest_name} characters."
                raise Refusal("string_above_max_length", message, path)
            self.of.check(one, f"{path}.{name}")


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known names. Unknown ones are refused unless it is `open`."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    open: bool = False

    def check(self, value: Any, path: str) -> None:
        """An object with these fields."""
        if not isinstance(value, dict):
            raise wrong_type(path or "event", "an object", value)
        prefix = f"{path}." if path else ""
        for name in self.required:
            if value.get(name) is None:
                where = f"{prefix}{name}"
                raise Refusal("missing_required_parameter", f"Missing required parameter: '{where}'.", where)
        for name, one in value.items():
            shape = self.fields.get(name)
            if shape is None:
                if not self.open:
                    where = f"{prefix}{name}"
                    raise Refusal("unknown_parameter", f"Unknown parameter: '{where}'.", where)
            elif one is not None:
                shape.check(one, f"{prefix}{name}")


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose field `by` tells which record it is; `default` when the field is absent."""

    by: str
    records: Mapping[str, Shape]
    default: str | None = None

    def check(self, value: Any, path: str) -> None:
        """The record its tag names."""
        if not isinstance(value, dict):
            raise wrong_type(path, "an object", value)
        where = f"{path}.{self.by}"
        tag = value.get(self.by)
        if tag is None:
            tag = self.default
        if tag is None:
            raise Refusal("missing_required_parameter", f"Missing required parameter: '{where}'.", where)
        record = self.records.get(tag) if isinstance(tag, str) else None
        if record is None:
            raise wrong_value(where, tag, tuple(name for name in self.records if name))
        record.check(value, path)


def opened(shape: Shape) -> Shape:
    """The same shape where objects may have fields that nobody knows."""
    if isinstance(shape, Record):
        return Record({name: opened(one) for name, one in shape.fields.items()}, shape.required, open=True)
    if isinstance(shape, Tagged):
        return Tagged(shape.by, {tag: opened(one) for tag, one in shape.records.items()}, shape.default)
    return ListOf(opened(shape.of), shape.most) if isinstance(shape, ListOf) else shape


@dataclass(frozen=True, slots=True)
class ByKind:
    """Different shapes for different JSON kinds: a string here, an object there, a number or an array elsewhere."""

    expected: str
    text: Shape | None = None
    object: Shape | None = None
    number: Shape | None = None
    array: Shape | None = None

    def check(self, value: Any, path: str) -> None:
        """The shape of its kind."""
        shape: Shape | None = None
        if isinstance(value, str):
            shape = self.text
        elif isinstance(value, dict):
            shape = self.object
        elif isinstance(value, list):
            shape = self.array
        elif isinstance(value, int | float) and not isinstance(value, bool):
            shape = self.number
        if shape is None:
            raise wrong_type(path, self.expected, value)
        shape.check(value, path)
