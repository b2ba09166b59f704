"""OpenAI's Responses request -> a chat completion, and what of it the response repeats.

What a chat cannot do (stored conversations, hosted tools, background) is refused by name. `store: true` is accepted,
with a warning that nothing is stored; fields that neither API knows are left out, and a warning names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.proxy.documents import JsonObject, check_model
from router.proxy.faults import refused
from router.request import ROUTING

from .responses_input import read_input
from .responses_tools import Named, read_choice, read_tools, repeated_tools
from .shape import at_least_one, left_out, may, need, one_of, unsupported

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
    """A request that was read: the chat, what the response repeats, the caller's names of tools, what to warn of."""

    chat: JsonObject
    repeated: JsonObject
    named: Mapping[str, Named] = field(default_factory=dict)
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
    tools = read_tools(document)
    chosen = read_choice(document, tools)
    if tools.functions:
        chat["tools"] = tools.functions
    else:
        chat.pop("parallel_tool_calls", None)  # which providers refuse without tools
    if chosen is not None:
        chat["tool_choice"] = chosen
    repeated = {name: document.get(name) for name in REPEATED} | {
        "background": False,
        "metadata": document.get("metadata") or {},
        "parallel_tool_calls": document.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None} | reasoning,
        "store": False,
        "text": USUAL_TEXT | text,
        "tool_choice": document.get("tool_choice") or "auto",
        "tools": list(repeated_tools(document)),
        "truncation": "disabled",
    }
    warning = left_out(document, SAME | OWN)
    warnings = [*([NOT_STORED] if document.get("store") else []), *tools.warnings, *([warning] if warning else [])]
    return AskedResponse(chat, repeated, tools.named, warnings)


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
