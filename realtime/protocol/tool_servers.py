"""Tool servers (MCP): which of a server's tools a reply may use, under which names, and which of them ask first.

A definition is a tool of type `mcp` as the client wrote it. A model knows functions only: each tool that is admitted
becomes one, under its own name where that is a function's name and nobody else has it, else with the server's label
before it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Definition = Mapping[str, Any]
_LONGEST_NAME = 64
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class ToolServer:
    """Where a server is, and what it wants to see of us. No `repr` shows the latter."""

    label: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool as its server lists it."""

    name: str
    input_schema: Mapping[str, Any]
    description: str | None = None
    annotations: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool a model may call; `asks`: only after the client has approved the call."""

    server: ToolServer
    name: str
    asks: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """The functions one reply may call, which of them it must, and which of them are a server's, by name."""

    functions: tuple[Mapping[str, Any], ...]
    choice: str | Mapping[str, Any]
    remote: Mapping[str, RemoteTool] = field(default_factory=dict)


def is_remote(tool: Definition) -> bool:
    """Whether a tool is a server of tools."""
    return tool.get("type") == "mcp"


def server_of(definition: Definition) -> ToolServer:
    """The server a definition names."""
    headers = definition.get("headers") or {}
    return ToolServer(definition["server_label"], definition["server_url"], headers, definition.get("authorization"))


def whole(tools: Sequence[Definition], session: Sequence[Definition]) -> tuple[Definition, ...]:
    """The tools of a response; a server that it names by label alone is the session's."""
    known = {tool["server_label"]: tool for tool in session if is_remote(tool)}
    return tuple(
        {**known.get(tool["server_label"], {}), **tool} if is_remote(tool) and not tool.get("server_url") else tool
        for tool in tools
    )


def admitted(definition: Definition, listed: Iterable[ServerTool]) -> tuple[ServerTool, ...]:
    """The tools that `allowed_tools` lets through: all of them when it is not set."""
    allowed = definition.get("allowed_tools")
    if allowed is None:
        return tuple(listed)
    wanted = allowed if isinstance(allowed, Mapping) else {"tool_names": allowed}
    return tuple(tool for tool in listed if _fits(wanted, tool))


def _fits(wanted: Mapping[str, Any], tool: ServerTool) -> bool:
    """Whether a tool fits a filter: every condition that is set."""
    names, read_only = wanted.get("tool_names"), wanted.get("read_only")
    if names is not None and tool.name not in names:
        return False
    return read_only is None or bool((tool.annotations or {}).get("readOnlyHint")) is read_only


def asks_first(definition: Definition, tool: ServerTool) -> bool:
    """Whether `require_approval` wants the client asked: always, unless it says otherwise."""
    wanted = definition.get("require_approval")
    if not isinstance(wanted, Mapping):
        return wanted != "never"
    always, never = wanted.get("always"), wanted.get("never")
    if always is not None and _fits(always, tool):
        return True
    return never is None or not _fits(never, tool)


def function_name(label: str, name: str, taken: Iterable[str] = ()) -> str:
    """The name of a server's tool as a model knows it."""
    for candidate in (name, f"{label}__{name}"):
        plain = _NO_NAME.sub("_", candidate)[:_LONGEST_NAME]
        if plain not in taken:
            return plain
    number = 2
    while (numbered := f"{plain[: _LONGEST_NAME - 4]}_{number}") in taken:
        number += 1
    return numbered


def offer(
    tools: Sequence[Definition], choice: str | Mapping[str, Any], lists: Mapping[str, Sequence[ServerTool]]
) -> Offer:
    """What a reply may call. `lists`: the tools of each server, by label, as far as they are known."""
    functions = {tool["name"]: tool for tool in tools if not is_remote(tool)}
    remote: dict[str, RemoteTool] = {}
    for definition in tools:
        if not is_remote(definition):
            continue
        label = definition["server_label"]
        for tool in admitted(definition, lists.get(label, ())):
            name = function_name(label, tool.name, functions)
            functions[name] = {
                "type": "function",
                "name": name,
                "description": tool.description or "",
                "parameters": tool.input_schema,
            }
            remote[name] = RemoteTool(server_of(definition), tool.name, asks_first(definition, tool))
    return _chosen(functions, choice, remote)


def _chosen(
    functions: Mapping[str, Mapping[str, Any]], choice: str | Mapping[str, Any], remote: Mapping[str, RemoteTool]
) -> Offer:
    """A choice of a server's tool, as functions know it: that one, or any of the server's and no other."""
    if isinstance(choice, str) or choice.get("type") != "mcp":
        return Offer(tuple(functions.values()), choice, remote)
    label, wanted = choice["server_label"], choice.get("name")
    names = [name for name, tool in remote.items() if tool.server.label == label and wanted in (None, tool.name)]
    if not names:  # its list is not known
        return Offer(tuple(functions.values()), "auto", remote)
    if len(names) == 1:
        return Offer(tuple(functions.values()), {"type": "function", "name": names[0]}, remote)
    return Offer(tuple(functions[name] for name in names), "required", {name: remote[name] for name in names})


def unknown_server(tools: Sequence[Definition], choice: str | Mapping[str, Any]) -> str | None:
    """The label that `tool_choice` names and no tool has."""
    if isinstance(choice, str) or choice.get("type") != "mcp":
        return None
    label: str = choice["server_label"]
    return None if any(is_remote(tool) and tool["server_label"] == label for tool in tools) else label
