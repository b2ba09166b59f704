"""OpenAI's Responses request -> a chat completion, and what of it the response repeats.

What a chat cannot do (stored conversations, hosted tools, background) is refused by name. `store: true` is accepted,
with a warning that nothing is stored; fields that neither API knows are left out, and a warning names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from router.proxy.documents import JsonObject, check_model, wrong_type
from router.proxy.faults import refused
from router.refusal import Refusal
from router.request import ROUTING

from .responses_input import read_input
from .shape import at_least_one, left_out, may, missing, need, objects, one_of, unsupported

SAME = frozenset(
    {"model", "stream", "user", "safety_identifier", "temperature", "top_p", "top_logprobs", "parallel_tool_calls",
     "service_tier", "prompt_cache_key", "prompt_cache_retention", "seed", "stop", "top_k", "logit_bias",
     "presence_penalty", "frequency_penalty", "extra_body"}
) | (ROUTING - {"reasoning"})  # fmt: skip
OWN = frozenset(
    {"input", "instructions", "max_output_tokens", "max_tool_calls", "text", "tools", "tool_choice", "reasoning",
     "include", "truncation", "store", "stream_options", "background", "previous_response_id", "conversation",
     "prompt"}
)  # fmt: skip
MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "functions": "tools",
    "n": "several requests",
}
NOT_SERVED = {
    "previous_response_id": "responses are not stored here; send the whole conversation as 'input'",
    "conversation": "conversations are not stored here; send the whole conversation as 'input'",
    "prompt": "prompt templates are not stored here; use a router's messages, or 'instructions'",
}
NOT_STORED = {"code": "response_not_stored", "message": "store: responses are not stored here; keep what you need"}
REPEATED = (
    "instructions", "max_output_tokens", "max_tool_calls", "prompt_cache_key", "safety_identifier",
    "service_tier", "temperature", "top_logprobs", "top_p", "user",
)  # fmt: skip
USUAL_TEXT = {"format": {"type": "text"}}


@dataclass(slots=True)
class AskedResponse:
    """A request that was read: the chat, what the response repeats, what the caller should know."""

    chat: JsonObject
    repeated: JsonObject
    warnings: list[Mapping[str, str]] = field(default_factory=list)


def read_response(document: JsonObject) -> AskedResponse:
    """Read a request. Raises Refusal 400 that names the field."""
    check_model(document)
    _refuse(document)
    chat: JsonObject = {name: document[name] for name in SAME & document.keys() if document[name] is not None}
    chat["messages"] = read_input(document.get("input"), may(document, "instructions", str))
    limit = at_least_one(may(document, "max_output_tokens", int), "max_output_tokens")
    if limit is not None:
        chat["max_completion_tokens"] = limit
    if chat.get("user") is None and (user := may(document, "safety_identifier", str)) is not None:
        chat["user"] = user
    if may(document, "stream", bool):
        chat["stream_options"] = {"include_usage": True}
    text = may(document, "text", dict) or {}
    _read_text(text, chat)
    reasoning = may(document, "reasoning", dict) or {}
    if (effort := may(reasoning, "effort", str, "reasoning.")) is not None:
        chat["reasoning_effort"] = effort
    if may(document, "top_logprobs", int) or "message.output_text.logprobs" in (may(document, "include", list) or ()):
        chat["logprobs"] = True
    _read_tools(document, chat)
    repeated = {name: document.get(name) for name in REPEATED} | {
        "background": False,
        "metadata": document.get("metadata") or {},
        "parallel_tool_calls": document.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None} | reasoning,
        "store": False,
        "text": USUAL_TEXT | text,
        "tool_choice": document.get("tool_choice") or "auto",
        "tools": [{"strict": None, "parameters": None} | tool for tool in document.get("tools") or ()],
        "truncation": "disabled",
    }
    warning = left_out(document, SAME | OWN)
    warnings = [NOT_STORED] if document.get("store") else []
    return AskedResponse(chat, repeated, [*warnings, warning] if warning else list(warnings))


def _refuse(document: JsonObject) -> None:
    for name, place in MOVED.items():
        if document.get(name) is not None:
            message = f"Unsupported parameter: '{name}' is not read by this API; use {place}."
            raise refused(400, message, code="unsupported_parameter", param=name)
    for name, remedy in NOT_SERVED.items():
        if document.get(name) is not None:
            raise unsupported(name, remedy)
    for name in ("store", "parallel_tool_calls"):
        may(document, name, bool)
    may(document, "stream_options", dict)
    may(document, "max_tool_calls", int)
    if may(document, "background", bool):
        raise unsupported("background", "nothing runs on after its request here; stream the answer instead")
    truncation = may(document, "truncation", str)
    if truncation not in (None, "auto", "disabled"):
        raise one_of("truncation", truncation, ("auto", "disabled"))


def _read_text(text: JsonObject, chat: JsonObject) -> None:
    if (verbosity := may(text, "verbosity", str, "text.")) is not None:
        chat["verbosity"] = verbosity
    shape = may(text, "format", dict, "text.")
    if shape is None:
        return
    match need(shape, "type", str, "text.format."):
        case "text":
            pass
        case "json_object":
            chat["response_format"] = {"type": "json_object"}
        case "json_schema":
            need(shape, "name", str, "text.format.")
            need(shape, "schema", dict, "text.format.")
            named = {name: value for name, value in shape.items() if name != "type"}
            chat["response_format"] = {"type": "json_schema", "json_schema": named}
        case other:
            raise one_of("text.format.type", other, ("text", "json_object", "json_schema"))


def _read_tools(document: JsonObject, chat: JsonObject) -> None:
    tools = [_tool(tool, where) for where, tool in objects(may(document, "tools", list) or (), "tools")]
    choice = document.get("tool_choice")
    if choice is not None and not isinstance(choice, str | dict):
        raise wrong_type("tool_choice", choice, (str, dict))
    chosen = _choice(choice) if choice is not None else None
    if not tools:  # providers refuse these without tools
        chat.pop("parallel_tool_calls", None)
        if isinstance(chosen, dict) or chosen == "required":
            raise missing("tools")
        return
    chat["tools"] = tools
    if chosen is not None:
        chat["tool_choice"] = chosen


def _tool(tool: JsonObject, where: str) -> JsonObject:
    kind = need(tool, "type", str, f"{where}.")
    if kind != "function":
        raise _hosted(f"{where}.type", kind)
    need(tool, "name", str, f"{where}.")
    may(tool, "parameters", dict, f"{where}.")
    names = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}


def _choice(choice: str | dict[str, Any]) -> str | JsonObject:
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise one_of("tool_choice", choice, ("auto", "none", "required"))
        return choice
    kind = need(choice, "type", str, "tool_choice.")
    if kind == "function":
        return {"type": "function", "function": {"name": need(choice, "name", str, "tool_choice.")}}
    if kind != "allowed_tools":
        raise _hosted("tool_choice.type", kind)
    tools = [_tool(tool, where) for where, tool in objects(need(choice, "tools", list, "tool_choice."), "tool_choice")]
    return {"type": kind, kind: {"mode": may(choice, "mode", str, "tool_choice.") or "auto", "tools": tools}}


def _hosted(param: str, kind: str) -> Refusal:
    return unsupported(param, f"{kind[:64]!r} is a tool of OpenAI's own; only functions are called here")
