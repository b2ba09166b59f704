"""The syntax tree of a condition, read from the engine's own serialised form.

The engine compiles, checks and runs; it does not say which variables an expression asks for. Its serialised form does:
it is the protocol buffer message `cel.expr.ParsedExpr` (github.com/google/cel-spec, proto/cel/expr/syntax.proto), of
which the few fields needed are read here.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

VARINT, FIXED64, LENGTH = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `value` is None for null, and for bytes and unsigned literals, which nothing here looks into."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A variable, or the name of a type."""

    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or with `test` the macro `has(operand.field)`."""

    operand: "Node"
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator (`_&&_`, `_==_`, `@in`); a method has its receiver as first argument."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list literal, and any other construct whose parts are all evaluated."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """What `exists`, `all`, `filter` and `map` expand to; `bound` are its own variables."""

    bound: frozenset[str]
    source: "Node"
    parts: tuple["Node", ...]


Node = Constant | Identifier | Select | Call | Sequence | Comprehension


def parse(serialised: bytes) -> Node:
    """The tree in a serialised `Any` that holds a `ParsedExpr`."""
    parsed = _message(serialised)[2]
    return _expression(_message(parsed[0])[2][0])


def free_variables(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """The identifiers that a tree does not bind itself, in order, with repetitions."""
    match node:
        case Constant():
            return
        case Identifier(name):
            if name not in bound:
                yield name
        case Select(operand):
            yield from free_variables(operand, bound)
        case Call(_, parts) | Sequence(parts):
            for part in parts:
                yield from free_variables(part, bound)
        case Comprehension(own, source, parts):
            yield from free_variables(source, bound)
            for part in parts:
                yield from free_variables(part, bound | own)
        case _:
            assert_never(node)


def calls(node: Node, function: str) -> Iterator[Call]:
    """Every call of a function in a tree."""
    parts: tuple[Node, ...] = ()
    match node:
        case Constant() | Identifier():
            return
        case Select(operand):
            parts = (operand,)
        case Call(name, parts):
            if name == function:
                yield node
        case Sequence(parts):
            pass
        case Comprehension(_, source, others):
            parts = (source, *others)
        case _:
            assert_never(node)
    for part in parts:
        yield from calls(part, function)


def _expression(payload: bytes) -> Node:
    fields = _message(payload)
    if 3 in fields:
        return _constant(fields[3][0])
    if 4 in fields:
        return Identifier(_text(_message(fields[4][0]), 1))
    if 5 in fields:
        select = _message(fields[5][0])
        return Select(_expression(select[1][0]), _text(select, 2), test=3 in select)
    if 6 in fields:
        call = _message(fields[6][0])
        return Call(_text(call, 2), _expressions(call, 1) + _expressions(call, 3))
    if 7 in fields:
        return Sequence(_expressions(_message(fields[7][0]), 1))
    if 8 in fields:
        entries = [_message(entry) for entry in _message(fields[8][0]).get(2, [])]
        return Sequence(tuple(part for entry in entries for number in (3, 4) for part in _expressions(entry, number)))
    loop = _message(fields[9][0])
    bound = frozenset(_text(loop, number) for number in (1, 3, 8) if number in loop)
    parts = tuple(part for number in (4, 5, 6, 7) for part in _expressions(loop, number))
    return Comprehension(bound, _expression(loop[2][0]), parts)


def _expressions(fields: dict[int, list[bytes]], number: int) -> tuple[Node, ...]:
    return tuple(_expression(payload) for payload in fields.get(number, []))


def _text(fields: dict[int, list[bytes]], number: int) -> str:
    return fields[number][0].decode()


def _constant(payload: bytes) -> Constant:
    fields = _message(payload)
    if 2 in fields:
        return Constant(fields[2][0] != b"\0" * 8)
    if 3 in fields:
        return Constant(int.from_bytes(fields[3][0], "little", signed=True))
    if 5 in fields:
        return Constant(float(struct.unpack("<d", fields[5][0])[0]))
    return Constant(_text(fields, 6) if 6 in fields else None)


def _message(payload: bytes) -> dict[int, list[bytes]]:
    """Fields by number; a varint is given as its eight little-endian bytes."""
    fields: dict[int, list[bytes]] = {}
    at = 0
    while at < len(payload):
        key, at = _varint(payload, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(payload, at)
            found = value.to_bytes(8, "little")
        else:
            length, at = (8, at) if wire == FIXED64 else _varint(payload, at)
            found, at = payload[at : at + length], at + length
        fields.setdefault(number, []).append(found)
    return fields


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = payload[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
