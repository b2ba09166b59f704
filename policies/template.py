"""Message templates: `{{name}}` and `{{path.to.name}}`, replaced once.

No escaping, no conditionals, and a value is never expanded again. A missing variable becomes empty text and a warning.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}\s][^{}]*?)\s*\}\}")
_ABSENT = object()


def render(text: str, variables: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The text with its variables, and one warning per missing name."""
    missing: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        found = _lookup(variables, match[1])
        if found is _ABSENT:
            missing[match[1]] = None
            return ""
        return _written(found)

    return _PLACEHOLDER.sub(value, text), tuple(f"prompt variable {name!r} is not set" for name in missing)


def render_messages(
    messages: Iterable[Mapping[str, Any]], variables: Mapping[str, Any]
) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """Every text in the templates' `content` (also inside parts), and the warnings without repetition."""
    warnings: dict[str, None] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            text, missing = render(value, variables)
            warnings.update(dict.fromkeys(missing))
            return text
        if isinstance(value, list | tuple):
            return [{**part, "text": walk(part["text"])} if _is_text(part) else part for part in value]
        return value

    rendered = tuple({**message, "content": walk(message.get("content"))} for message in messages)
    return rendered, tuple(warnings)


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _lookup(variables: Mapping[str, Any], path: str) -> Any:
    if path in variables:
        return variables[path]
    found: Any = variables
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
