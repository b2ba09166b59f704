"""When the demo model calls a tool, and with which arguments. Pure.

`tool_choice: required` or a named function always yields a call; `auto` yields one when the text names the tool or the
description of one of its parameters, unless the conversation ends with a tool's result, which is read back instead.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .replies import Messages, last_user_text
from .samples import Sampler

_VERBS = {
    "get",
    "set",
    "fetch",
    "find",
    "look",
    "lookup",
    "up",
    "search",
    "create",
    "make",
    "do",
    "the",
    "a",
    "for",
    "of",
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function and its arguments as JSON text."""

    name: str
    arguments: str


def tool_calls(document: Mapping[str, Any], messages: Messages) -> list[ToolCall]:
    """The calls this request yields, in the order of its `tools`; empty when a text answer is due."""
    functions = _functions(document.get("tools"))
    choice = document.get("tool_choice", "auto")
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        allowed = allowed if isinstance(allowed, Mapping) else choice
        names = {function["name"] for function in _functions(allowed.get("tools"))}
        functions = [function for function in functions if function["name"] in names]
        choice = allowed.get("mode", "auto")
    if not functions or choice == "none":
        return []
    text = last_user_text(messages)
    if isinstance(choice, Mapping):
        inner = choice.get("function")
        wanted = inner.get("name") if isinstance(inner, Mapping) else choice.get("name")
        return [_call(function, text) for function in functions if function["name"] == wanted][:1]
    fitting = [function for function in functions if _named(function, text)]
    if choice == "required":
        return [_call(function, text) for function in (fitting or functions)[:1]]
    if not messages or messages[-1].get("role") != "user":
        return []
    return [_call(function, text) for function in fitting[: 1 if document.get("parallel_tool_calls") is False else 4]]


def _functions(tools: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for tool in tools if isinstance(tools, Sequence) and not isinstance(tools, str) else ():
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            found.append(function)
    return found


def _named(function: Mapping[str, Any], text: str) -> bool:
    spoken = _words(text)
    name = _words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", function["name"]).replace("_", " "))
    telling = [word for word in name if word not in _VERBS] or name
    if name and all(word in spoken for word in telling):
        return True
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    described = properties.values() if isinstance(properties, Mapping) else ()
    joined = f" {' '.join(spoken)} "
    for parameter in described:
        words = _words(str(parameter.get("description") or "")) if isinstance(parameter, Mapping) else []
        if words and f" {' '.join(words)} " in joined:
            return True
    return False


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("_", " ").replace("-", " "))


def _call(function: Mapping[str, Any], text: str) -> ToolCall:
    schema = function.get("parameters")
    arguments = Sampler(schema, text).value() if isinstance(schema, Mapping) and schema else {}
    return ToolCall(function["name"], json.dumps(arguments if isinstance(arguments, dict) else {}))
