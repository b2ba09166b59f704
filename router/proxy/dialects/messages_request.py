"""Anthropic's Messages request -> a chat completion.

Thinking that is sent back is left out (a chat has no place for it), `cache_control` too; tools that Anthropic runs and
files that it stores are refused by name. Fields that neither API knows are left out, and a warning names them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.proxy.documents import JsonObject, check_model, wrong_type
from router.request import ROUTING

from .messages_content import read_messages, system_text
from .shape import at_least_one, left_out, may, need, objects, one_of, unsupported

SAME = frozenset({"model", "stream", "user", "temperature", "top_p", "top_k", "extra_body"}) | ROUTING
OWN = frozenset(
    {"system", "messages", "max_tokens", "stop_sequences", "tools", "tool_choice", "thinking", "output_config",
     "output_format", "container", "mcp_servers", "cache_control"}
)  # fmt: skip
CHOICES = {"auto": "auto", "any": "required", "none": "none"}
THINKING = {
    "code": "thinking_ignored",
    "message": "thinking, output_config.effort: models think as they do by themselves; reasoning.effort changes that",
}


@dataclass(slots=True)
class AskedMessage:
    """A request that was read: the chat, whether thinking is to be shown, what the caller should know."""

    chat: JsonObject
    thinks: bool = False
    warnings: list[Mapping[str, str]] = field(default_factory=list)


def read_message(document: JsonObject, *, counting: bool = False) -> AskedMessage:
    """Read a request; one that only counts needs no `max_tokens`. Raises Refusal 400 that names the field."""
    check_model(document)
    for name in ("container", "mcp_servers"):
        if document.get(name):
            raise unsupported(name, "runs at Anthropic only; send tools, and run them yourself")
    chat: JsonObject = {name: document[name] for name in SAME & document.keys() if document[name] is not None}
    chat["messages"] = read_messages(need(document, "messages", list), system_text(document))
    limit = may(document, "max_tokens", int) if counting else need(document, "max_tokens", int)
    if at_least_one(limit, "max_tokens") is not None:
        chat["max_completion_tokens"] = limit
    metadata = may(document, "metadata", dict) or {}
    if chat.get("user") is None and (user := may(metadata, "user_id", str, "metadata.")) is not None:
        chat["user"] = user
    if stops := may(document, "stop_sequences", list):
        chat["stop"] = stops
    if may(document, "stream", bool):
        chat["stream_options"] = {"include_usage": True}
    _read_format(document, chat)
    _read_tools(document, chat)
    thinking, config = may(document, "thinking", dict) or {}, may(document, "output_config", dict) or {}
    thinks = thinking.get("type") not in (None, "disabled")
    warnings = [THINKING] if thinks or config.get("effort") is not None else []
    warning = left_out(document, SAME | OWN)
    shown = thinks and thinking.get("display") != "omitted"
    return AskedMessage(chat, shown, [*warnings, warning] if warning else list(warnings))


def _read_format(document: JsonObject, chat: JsonObject) -> None:
    config = may(document, "output_config", dict) or {}
    where = "output_config.format" if config.get("format") is not None else "output_format"
    shape = may(config, "format", dict, "output_config.") or may(document, "output_format", dict)
    if shape is None:
        return
    kind = need(shape, "type", str, f"{where}.")
    if kind != "json_schema":
        raise one_of(f"{where}.type", kind, ("json_schema",))
    schema = {"name": "answer", "strict": True, "schema": need(shape, "schema", dict, f"{where}.")}
    chat["response_format"] = {"type": "json_schema", "json_schema": schema}


def _read_tools(document: JsonObject, chat: JsonObject) -> None:
    tools = list(_tools(may(document, "tools", list) or []))
    choice = may(document, "tool_choice", dict)
    if tools:
        chat["tools"] = tools
    if choice is None:
        return
    kind = need(choice, "type", str, "tool_choice.")
    if kind == "tool":
        named: object = {"type": "function", "function": {"name": need(choice, "name", str, "tool_choice.")}}
    elif kind in CHOICES:
        named = CHOICES[kind]
    else:
        raise one_of("tool_choice.type", kind, (*CHOICES, "tool"))
    if tools:
        chat["tool_choice"] = named
        if may(choice, "disable_parallel_tool_use", bool, "tool_choice."):
            chat["parallel_tool_calls"] = False
    elif kind in ("tool", "any"):
        raise unsupported("tool_choice", "asks for a tool, and there are no 'tools'")


def _tools(tools: list[object]) -> Iterator[JsonObject]:
    for where, tool in objects(tools, "tools"):
        kind = may(tool, "type", str, f"{where}.") or "custom"
        if kind != "custom":
            raise unsupported(f"{where}.type", f"{kind[:64]!r} is a tool of Anthropic's own; send its schema as a tool")
        function: JsonObject = {"name": need(tool, "name", str, f"{where}.")}
        for name, given, shape in (("description", "description", str), ("parameters", "input_schema", dict)):
            value = tool.get(given)
            if value is not None and not isinstance(value, shape):
                raise wrong_type(f"{where}.{given}", value, (shape,))
            if value is not None:
                function[name] = value
        if may(tool, "strict", bool, f"{where}."):
            function["strict"] = True
        yield {"type": "function", "function": function}
