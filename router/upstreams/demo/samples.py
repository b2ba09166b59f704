"""A value that is valid against a JSON Schema, filled from a text where a word fits. Pure and deterministic."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DEEPEST = 12
_FORMATS = {
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "date-time": "2026-01-01T12:00:00Z",
    "duration": "PT1M",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_WHOLE_TEXT = {"query", "text", "message", "prompt", "question", "input", "content", "reply", "answer", "note", "body"}
_PLACE = re.compile(
    r"\b(?:in|at|for|to|of|from|called|named|with|about)\s+"
    r"(?:(?:the|a|an|my|me)\s+)?(?P<word>[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*|[\w'-]+)",
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws values for one root schema (`$ref` resolves within it) and one text."""

    root: Mapping[str, Any]
    text: str

    def value(self) -> Any:
        """A value for the root schema."""
        return self._sample(self.root, "", 0)

    def _sample(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._chosen(schema["enum"])
        kind = _kind(schema)
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "number" | "integer":
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return re.search(r"\b(?:no|not|off|false|don't)\b", self.text, re.IGNORECASE) is None
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_DEEPEST):
            if isinstance(schema.get("$ref"), str):
                schema = _without(schema, "$ref") | self._referred(schema["$ref"])
            elif isinstance(schema.get("allOf"), list):
                merged = _without(schema, "allOf")
                for part in schema["allOf"]:
                    merged = _merged(merged, part if isinstance(part, Mapping) else {})
                schema = merged
            else:
                choices = schema.get("anyOf") or schema.get("oneOf")
                if not isinstance(choices, list):
                    break
                usable = [choice for choice in choices if isinstance(choice, Mapping) and choice.get("type") != "null"]
                schema = _merged(_without(schema, "anyOf", "oneOf"), usable[0] if usable else {"type": "null"})
        return schema

    def _referred(self, reference: str) -> dict[str, Any]:
        place: Any = self.root
        for step in reference.removeprefix("#").split("/"):
            if step:
                place = place.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
        return dict(place) if isinstance(place, Mapping) else {}

    def _chosen(self, options: list[Any]) -> Any:
        lowered = self.text.lower()
        for option in options:
            if isinstance(option, str) and option and re.search(rf"\b{re.escape(option.lower())}\b", lowered):
                return option
        return options[0]

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = [key for key in schema.get("required") or () if isinstance(key, str)]
        wanted = [key for key in properties if key in required or (depth < 3 and self._mentions(str(key)))]
        wanted += [key for key in required if key not in properties]
        return {key: self._sample(properties.get(key, {}), str(key), depth + 1) for key in wanted}

    def _mentions(self, name: str) -> bool:
        return re.search(rf"\b{re.escape(name.replace('_', ' '))}\b", self.text, re.IGNORECASE) is not None

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems")
        values = [self._sample(item, name, depth + 1) for item in fixed] if isinstance(fixed, list) else []
        least = _whole(schema.get("minItems"), 0)
        most = _whole(schema.get("maxItems"), max(least, 1, len(values)))
        items = schema.get("items")
        wanted = min(max(least, 0 if isinstance(fixed, list) else 1), most, 100)
        while len(values) < wanted:
            value = self._sample(items, name, depth + 1)
            if schema.get("uniqueItems") and value in values:
                value = self._another(items, value, values)
            values.append(value)
        return values[:most]

    def _another(self, items: Any, value: Any, taken: list[Any]) -> Any:
        options = items.get("enum") if isinstance(items, Mapping) else None
        if isinstance(options, list):
            return next((option for option in options if option not in taken), value)
        if isinstance(value, str):
            return f"{value}{len(taken)}"
        return value + len(taken) if isinstance(value, int | float) and not isinstance(value, bool) else value

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> int | float:
        for found in _NUMBER.findall(self.text):
            number = float(found)
            if _within(number, schema) and (not whole or number == int(number)):
                return int(number) if whole or number == int(number) else number
        return _lowest(schema, whole=whole)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        text = self._word(schema, name)
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not _matches(pattern, text):
            text = next((word for word in self.text.split() if _matches(pattern, word)), text)
        least = _whole(schema.get("minLength"), 0)
        most = _whole(schema.get("maxLength"), max(least, 10_000))
        return (text + "x" * (least - len(text)))[:most]

    def _word(self, schema: Mapping[str, Any], name: str) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[str(schema["format"])]
        examples = schema.get("examples")
        if name.lower() in _WHOLE_TEXT and self.text.strip():
            return self.text.strip()
        named = re.search(
            rf"\b{re.escape(name.replace('_', ' '))}\b\s*(?:is|=|:|of)?\s*(?P<word>[\w'-]+)", self.text, re.IGNORECASE
        )
        if name and named:
            return str(named["word"])
        placed = _PLACE.findall(self.text)
        if placed:
            return str(next((word for word in placed if word[0].isupper()), placed[-1]))
        if isinstance(schema.get("default"), str):
            return str(schema["default"])
        if isinstance(examples, list) and examples and isinstance(examples[0], str):
            return str(examples[0])
        words = re.findall(r"[\w'-]+", self.text)
        capitalised = [word for word in words[1:] if word[0].isupper() and word != "I"]
        return str((capitalised or words or [name or "demo"])[-1])


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _without(schema: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in keys}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one) | dict(other)
    if isinstance(one.get("properties"), Mapping) and isinstance(other.get("properties"), Mapping):
        both["properties"] = dict(one["properties"]) | dict(other["properties"])
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        both["required"] = [*one["required"], *other["required"]]
    return both


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _whole(value: Any, default: int) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else default


def _bound(schema: Mapping[str, Any], key: str) -> float | None:
    value = schema.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _within(number: float, schema: Mapping[str, Any]) -> bool:
    least, most = _bound(schema, "minimum"), _bound(schema, "maximum")
    above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    step = _bound(schema, "multipleOf")
    return (
        (least is None or number >= least)
        and (most is None or number <= most)
        and (above is None or number > above)
        and (below is None or number < below)
        and (not step or math.isclose(number / step, round(number / step)))
    )


def _lowest(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    default = _bound(schema, "default")
    step = _bound(schema, "multipleOf") or 1.0
    start = _bound(schema, "minimum")
    start = _bound(schema, "exclusiveMinimum") if start is None else start
    most = _bound(schema, "maximum")
    most = _bound(schema, "exclusiveMaximum") if most is None else most
    low = math.ceil((start if start is not None else min(0.0, most if most is not None else 0.0)) / step) * step
    tried = [default, 1.0, low, low + step, low - step]
    if start is not None and most is not None:
        tried.append((start + most) / 2)
    number = next((n for n in tried if n is not None and _within(n, schema) and (not whole or n == int(n))), low)
    return int(number) if whole or number == int(number) else number
