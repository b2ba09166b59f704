"""The tools of a Responses request -> functions of a chat, and the way back from a called function to its tool.

A namespace's functions become functions with both names in one; a custom tool, which takes free text, becomes a
function of one text. Web search is left out with a warning; any other tool of OpenAI's own is refused by its place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from router.proxy.documents import JsonObject, wrong_type
from router.refusal import Refusal

from .shape import may, missing, need, objects, one_of, unsupported

LONGEST_NAME = 64
NO_SEARCH = {"code": "web_search_unavailable", "message": "web_search: no search engine is here; answered without it"}
FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A tool as the caller knows it."""

    name: str
    namespace: str | None = None
    custom: bool = False


@dataclass(slots=True)
class Tools:
    """What a chat is offered, and the caller's names of those tools that go by another one or take free text."""

    functions: list[JsonObject] = field(default_factory=list)
    named: dict[str, Named] = field(default_factory=dict)
    warnings: list[Mapping[str, str]] = field(default_factory=list)


def one_name(name: str, namespace: str | None) -> str:
    """The name of a function in a chat, which knows no namespaces."""
    return f"{namespace}__{name}"[-LONGEST_NAME:] if namespace else name


def read_tools(document: JsonObject) -> Tools:
    """Read `tools`. Raises Refusal 400 that names the place."""
    tools = Tools()
    for where, tool in objects(may(document, "tools", list) or (), "tools"):
        match need(tool, "type", str, f"{where}."):
            case "namespace":
                space = need(tool, "name", str, f"{where}.")
                for place, inner in objects(need(tool, "tools", list, f"{where}."), f"{where}.tools"):
                    _offer(tools, inner, place, space)
            case "web_search" | "web_search_preview":
                tools.warnings = [NO_SEARCH]
            case _:
                _offer(tools, tool, where, None)
    return tools


def read_choice(document: JsonObject, tools: Tools) -> str | JsonObject | None:
    """Read `tool_choice`; None where there is nothing to choose from. Raises Refusal 400 that names the place."""
    choice = document.get("tool_choice")
    if choice is None:
        return None
    if not isinstance(choice, str | dict):
        raise wrong_type("tool_choice", choice, (str, dict))
    chosen = _choice(choice)
    if not tools.functions:
        if isinstance(chosen, dict) or chosen == "required":
            raise missing("tools")
        return None
    return chosen


def _offer(tools: Tools, tool: JsonObject, where: str, namespace: str | None) -> None:
    kind = need(tool, "type", str, f"{where}.")
    if kind not in ("function", "custom"):
        raise _hosted(f"{where}.type", kind)
    own = need(tool, "name", str, f"{where}.")
    name = one_name(own, namespace)
    if namespace is not None or kind == "custom":
        tools.named[name] = Named(own, namespace, custom=kind == "custom")
    tools.functions.append({"type": "function", "function": {**_function(tool, where, kind), "name": name}})


def _function(tool: JsonObject, where: str, kind: str) -> JsonObject:
    described = may(tool, "description", str, f"{where}.")
    if kind == "custom":
        grammar = (may(tool, "format", dict, f"{where}.") or {}).get("definition")
        told = [described or "", f"The input follows this grammar:\n{grammar}" if isinstance(grammar, str) else ""]
        return {"description": "\n".join(filter(None, told)), "parameters": FREE_TEXT}
    may(tool, "parameters", dict, f"{where}.")
    names = ("description", "parameters", "strict")
    return {name: tool[name] for name in names if tool.get(name) is not None}


def _choice(choice: str | dict[str, Any]) -> str | JsonObject:
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise one_of("tool_choice", choice, ("auto", "none", "required"))
        return choice
    kind = need(choice, "type", str, "tool_choice.")
    if kind in ("function", "custom"):
        return _called(choice, "tool_choice")
    if kind != "allowed_tools":
        raise _hosted("tool_choice.type", kind)
    listed = objects(need(choice, "tools", list, "tool_choice."), "tool_choice.tools")
    tools = [_called(tool, where) for where, tool in listed]
    return {"type": kind, kind: {"mode": may(choice, "mode", str, "tool_choice.") or "auto", "tools": tools}}


def _called(tool: JsonObject, where: str) -> JsonObject:
    name = one_name(need(tool, "name", str, f"{where}."), may(tool, "namespace", str, f"{where}."))
    return {"type": "function", "function": {"name": name}}


def _hosted(param: str, kind: str) -> Refusal:
    return unsupported(param, f"{kind[:64]!r} is a tool of OpenAI's own; only functions are called here")


def repeated_tools(document: JsonObject) -> Iterator[JsonObject]:
    """The tools as a response repeats them."""
    for tool in document.get("tools") or ():
        yield {"strict": None, "parameters": None, **tool} if tool["type"] == "function" else tool
