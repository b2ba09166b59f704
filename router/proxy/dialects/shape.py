"""Reading a stranger's JSON: what is missing or of another shape is a refusal (400) that names the place."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from router.proxy.documents import JsonObject, wrong_type
from router.proxy.faults import refused
from router.refusal import Refusal

T = TypeVar("T", bool, int, str, list[Any], dict[str, Any])


def may(document: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T | None:
    """A field of a kind; None when it is not there. `where` is the place of the document, ending in a dot."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise wrong_type(where + name, value, (kind,))
    return value


def need(document: Mapping[str, Any], name: str, kind: type[T], where: str = "") -> T:
    """A field that must be there."""
    value = may(document, name, kind, where)
    if value is None:
        raise missing(where + name)
    return value


def at_least_one(value: int | None, param: str) -> int | None:
    """A number of tokens."""
    if value is not None and value < 1:
        raise refused(400, f"{param} must be at least 1, is {value}", code="integer_below_min_value", param=param)
    return value


def objects(entries: Iterable[Any], place: str) -> Iterator[tuple[str, JsonObject]]:
    """The objects of a list, each with its place (`input[2]`)."""
    for index, entry in enumerate(entries):
        where = f"{place}[{index}]"
        if not isinstance(entry, dict):
            raise wrong_type(where, entry, (dict,))
        yield where, entry


def missing(param: str) -> Refusal:
    """A field that is not there."""
    return refused(400, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def unsupported(param: str, message: str) -> Refusal:
    """Something that the original can do and we cannot."""
    return refused(400, f"{param}: {message}", code="unsupported_value", param=param)


def one_of(param: str, value: object, allowed: Iterable[str]) -> Refusal:
    """A word that is none of the known ones."""
    known = ", ".join(repr(word) for word in allowed)
    shown = repr(value)[:80]
    return refused(400, f"Invalid value for '{param}': {shown}. Known are: {known}.", code="invalid_value", param=param)


def left_out(document: Mapping[str, Any], known: frozenset[str]) -> dict[str, str] | None:
    """The warning for fields that nobody here knows, None without any: they are not passed on."""
    names = ", ".join(sorted(name[:64] for name in document.keys() - known)[:16])
    if not names:
        return None
    return {"code": "fields_ignored", "message": f"{names}: not known here, not passed on"}
