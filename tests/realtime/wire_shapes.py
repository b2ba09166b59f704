"""The field list of the OpenAI realtime events, as a checker: what a value of each type may look like."""

import json
import re
from functools import cache
from pathlib import Path

SCHEMA = json.loads((Path(__file__).parent / "openai-realtime-schema.json").read_text(encoding="utf-8"))
_SIMPLE = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "any": lambda value: True,
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


@cache
def alternatives(text):
    """`a | array<b | c>` split at the bars outside of brackets."""
    found, depth, current = [], 0, ""
    for sign in text:
        depth += (sign == "<") - (sign == ">")
        if sign == "|" and depth == 0:
            found.append(current.strip())
            current = ""
        else:
            current += sign
    return [*found, current.strip()]


def fits(value, text):
    """Whether a value is of a type of the schema."""
    return any(_fits_one(value, one) for one in alternatives(text))


def _fits_one(value, text):
    if text.startswith('"'):
        return value == json.loads(text)
    if text.startswith("$"):
        return isinstance(value, dict) and not complaints(value, SCHEMA["models"][text[1:]])
    if match := re.fullmatch(r"array<(.*)>", text):
        return isinstance(value, list) and all(fits(one, match[1]) for one in value)
    if match := re.fullmatch(r"map<string,(.*)>", text):
        return isinstance(value, dict) and all(fits(one, match[1].strip()) for one in value.values())
    return _SIMPLE.get(text, _SIMPLE["any"])(value)


def complaints(value, model):
    """What is wrong with an object of a model: required fields that are missing, fields of another type."""
    missing = [name for name in model["required"] if name not in value]
    wrong = [name for name, field in model["fields"].items() if name in value and not fits(value[name], field["type"])]
    return [f"missing {name}" for name in missing] + [
        f"{name} is not {model['fields'][name]['type']}" for name in wrong
    ]


def event_complaints(wire, *, beta=False):
    """What is wrong with a server event."""
    events = SCHEMA["beta"]["server_events"] if beta else SCHEMA["server_events"]
    if wire["type"] not in events:
        return [f"{wire['type']} is no server event"]
    return complaints(wire, events[wire["type"]])
