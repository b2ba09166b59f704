"""Plain values through a model, with every complaint brought back to its place in the file."""

import json
import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .document import Node, Path, at, place, plain, resolve, spell
from .findings import ConfigError, Finding, did_you_mean, without_password
from .scalars import FORMS

M = TypeVar("M", bound=BaseModel)
_WORDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "missing": "is missing",
}
_WANT_MAPPING = ("model_type", "model_attributes_type", "dict_type")


def validate(model: type[M], root: Node, file: str, filled: frozenset[int] | set[int] = frozenset()) -> M:
    """`root` as a `model`. Raises ConfigError with every finding.

    `filled` are ids of scalars that came from the environment: where the model wants another type than text,
    such a value is read again as YAML would read it.
    """
    for again in (True, False):
        try:
            return model.model_validate_json(json.dumps(plain(root, file)), strict=True)
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_context=True)
            if not (again and _retype(root, complaints, filled)):
                complaints = _without_second_readings(root, complaints)
                found = {finding for complaint in complaints for finding in _findings(model, root, file, complaint)}
                ordered = sorted(found, key=lambda one: (one.line, one.column, one.message))
                raise ConfigError(ordered) from None
    raise AssertionError("unreachable")


def _without_second_readings(root: Node, complaints: list[Any]) -> list[Any]:
    """Without the complaint of the other reading, where a value may be a word or a mapping and is wrong as its own."""
    places = [known_path(root, complaint["loc"]) for complaint in complaints]

    def other(complaint: Any, path: Path) -> bool:
        if complaint["type"] not in (*_WANT_MAPPING, "literal_error"):
            return False
        node, alone = at(root, path), sum(place[: len(path)] == path for place in places) == 1
        return not alone and isinstance(node and node.value, dict) != (complaint["type"] in _WANT_MAPPING)

    return [one for one, path in zip(complaints, places, strict=True) if not other(one, path)]


def _retype(root: Node, complaints: list[Any], filled: frozenset[int] | set[int]) -> bool:
    changed = False
    for complaint in complaints:
        node = at(root, known_path(root, complaint["loc"]))
        if node is not None and id(node) in filled and isinstance(node.value, str):
            value = resolve(node.value)
            changed = changed or value is not node.value
            node.value = value
    return changed


def known_path(root: Node, loc: Path) -> Path:
    """The part of pydantic's location that exists in the file (union tags and missing keys drop out)."""
    path: Path = ()
    for step in loc:
        if at(root, (*path, step)) is not None:
            path = (*path, step)
    return path


def _findings(model: type[BaseModel], root: Node, file: str, complaint: Any) -> list[Finding]:
    kind, loc = complaint["type"], complaint["loc"]
    path = known_path(root, loc)
    remedy = None
    shown = spell(root, path)
    if kind == "extra_forbidden":
        line, column = place(root, path, key=True)
        known = _fields(model, path[:-1])
        remedy = did_you_mean(str(path[-1]), known) or (f"known here: {', '.join(sorted(known))}" if known else None)
        return [Finding(file, "unknown key", line, column, shown, remedy)]
    line, column = place(root, path)
    if kind == "missing":
        shown = f"{shown}.{loc[-1]}".lstrip(".")
    return [Finding(file, _message(complaint, at(root, path)), line, column, shown, remedy)]


def _message(complaint: Any, node: Node | None) -> str:
    kind, context = complaint["type"], complaint.get("ctx", {})
    value = node.value if node is not None else None
    scalar = not isinstance(value, dict | list)
    got = (
        f", is {without_password(repr(value))}" if scalar and node is not None and not _secret(complaint["loc"]) else ""
    )
    bounds = {"greater_than_equal": ("at least", "ge"), "greater_than": ("above", "gt"),
              "less_than_equal": ("at most", "le"), "less_than": ("below", "lt")}  # fmt: skip
    if kind in bounds:
        words, key = bounds[kind]
        return f"must be {words} {context[key]}{got}"
    if kind == "literal_error":
        near = did_you_mean(
            str(value), [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]
        )
        return f"must be {context['expected']}{got}" + (f"; {near}" if near else "")
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        return f"must be true or false{got} (in YAML 1.2 {value!r} is text)"
    if kind == "string_pattern_mismatch":
        return f"does not look right{got}; wanted: {FORMS[context['pattern']]}"
    if kind in ("too_short", "string_too_short") and "min_length" in context:
        counted = "entries" if isinstance(value, list) else "characters"
        return f"is too short, needs at least {context['min_length']} {counted}{got}"
    if kind in _WORDS:
        return _WORDS[kind] + ("" if kind == "missing" else got)
    text = str(complaint["msg"])
    return text[:1].lower() + text[1:] + got


def _secret(loc: Path) -> bool:
    return any(str(step) in ("secret", "api_key", "headers") for step in loc)


def _fields(model: type[BaseModel], path: Path) -> set[str]:
    """The keys a mapping at `path` may have, read from the annotations."""
    places: list[Any] = [model]
    for step in path:
        places = [inner for one in places for inner in _below(one, step)]
    return {name for one in places if isinstance(one, type) and issubclass(one, BaseModel) for name in one.model_fields}


def _below(annotation: Any, step: str | int) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(step))
        return _flat(field.annotation) if field is not None else []
    arguments = typing.get_args(annotation)
    if not arguments:
        return []
    return _flat(arguments[1] if isinstance(step, str) and len(arguments) > 1 else arguments[0])


def _flat(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [inner for one in typing.get_args(annotation) for inner in _flat(one)]
    if origin is typing.Annotated:
        return _flat(typing.get_args(annotation)[0])
    return [annotation]
