"""The one rule for a request's `metadata`: flat, OpenAI's sizes, values that conditions can read."""

from collections.abc import Mapping
from typing import Any

from .refusal import Refusal

MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE, LONGEST_LIST = 16, 64, 512, 64
_KINDS: Mapping[type, str] = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}


def check_metadata(metadata: Any, param: str = "metadata") -> None:
    """At most 16 flat pairs: keys of 1 to 64 characters, values texts (to 512), numbers, booleans, null, lists."""
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        message = f"{param} must be an object, is {_KINDS.get(type(metadata), 'a number')}"
        raise _wrong(param, "invalid_type", message)
    if len(metadata) > MOST_PAIRS:
        message = f"{param} has {len(metadata)} pairs, at most {MOST_PAIRS} are allowed"
        raise _wrong(param, "too_many_pairs", message)
    for key, value in metadata.items():
        if not key:
            raise _wrong(param, "key_empty", f"{param} has a key without a character; give the value a name")
        if len(key) > LONGEST_KEY:
            message = f"{param}: the key {key[:32]!r}… has {len(key)} characters, at most {LONGEST_KEY} are allowed"
            raise _wrong(param, "key_too_long", message)
        _check_value(value, f"{param}.{key}")


def _check_value(value: Any, place: str) -> None:
    if isinstance(value, str):
        if len(value) > LONGEST_VALUE:
            message = f"{place} has {len(value)} characters, at most {LONGEST_VALUE} are allowed"
            raise _wrong(place, "value_too_long", message)
    elif isinstance(value, list) and len(value) <= LONGEST_LIST:
        for entry in value:
            if isinstance(entry, list):
                raise _nested(entry, place)
            _check_value(entry, place)
    elif isinstance(value, dict | list):
        raise _nested(value, place)


def _nested(value: Any, place: str) -> Refusal:
    message = (
        f"{place} holds {_KINDS[type(value)]}; metadata is flat: texts, numbers, booleans and lists of them "
        f"(to {LONGEST_LIST})"
    )
    return _wrong(place, "invalid_type", message)


def _wrong(param: str, code: str, message: str) -> Refusal:
    return Refusal(400, message, code=code, param=param)
