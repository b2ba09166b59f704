"""From a reply's request to the chat completion that is asked of the router."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from policies import render

from .extensions import writing_options
from .protocol import (
    AudioPart,
    FunctionCall,
    FunctionOutput,
    ImagePart,
    Item,
    McpItem,
    Message,
    Part,
    ReplyRequest,
    TextPart,
)

NOTHING_SAID = {"role": "system", "content": "You are a helpful voice assistant. The conversation begins: say hello."}


def chat_document(
    request: ReplyRequest, session_id: str, prompts: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """The chat completion for a reply. Whoever has no user id is told apart by session: sticky for the whole call.

    `prompts`: instructions by the ids that clients may name, with `{{variables}}`.
    """
    prompted = prompt_text(request.prompt, prompts)
    begun = [{"role": "system", "content": prompted}] if prompted else []
    document: dict[str, Any] = {
        "model": request.model,
        "messages": [*begun, *chat_messages(request)] or [NOTHING_SAID],
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": request.user_id or session_id,
        "metadata": {"session_id": session_id, **request.facts},
        **writing_options(request.provider),
    }
    if request.tools:
        document["tools"] = [chat_tool(tool) for tool in request.tools if tool.get("type") == "function"]
        document["tool_choice"] = chat_tool_choice(request.tool_choice)
        if request.parallel_tool_calls is not None:
            document["parallel_tool_calls"] = request.parallel_tool_calls
    if not document.get("tools"):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            document.pop(name, None)
    variables = (request.prompt or {}).get("variables")
    if variables:
        document["prompt_variables"] = dict(variables)
    if request.max_output_tokens is not None:
        document["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        document["temperature"] = request.temperature
    effort = (request.reasoning or {}).get("effort")
    if effort:
        document["reasoning_effort"] = effort
    return document


def prompt_text(prompt: Mapping[str, Any] | None, prompts: Mapping[str, str]) -> str:
    """The instructions a session's prompt stands for; a variable may be an `input_text` part, as OpenAI has it."""
    if prompt is None or prompt["id"] not in prompts:
        return ""
    variables = {
        name: value.get("text", "") if isinstance(value, Mapping) and value.get("type") == "input_text" else value
        for name, value in (prompt.get("variables") or {}).items()
    }
    return render(prompts[prompt["id"]], variables)[0]


def chat_messages(request: ReplyRequest) -> Iterator[dict[str, Any]]:
    """Instructions first, then the conversation; calls of one assistant turn go into one message."""
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    calls: list[dict[str, Any]] = []
    for item in request.items:
        if isinstance(item, FunctionCall):
            function = {"name": item.name, "arguments": item.arguments or "{}"}
            calls.append({"id": item.call_id, "type": "function", "function": function})
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
            calls = []
        message = chat_message(item)
        if message is not None:
            yield message
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": calls}


def chat_message(item: Item) -> dict[str, Any] | None:
    """One item as a chat message; None for what a language model is not shown."""
    match item:
        case FunctionOutput():
            return {"role": "tool", "tool_call_id": item.call_id, "content": item.output}
        case Message(role="user"):
            return _user_message(item)
        case Message():
            return {"role": item.role, "content": "\n".join(_words(part) for part in item.content)}
        case FunctionCall() | McpItem():
            return None


def _user_message(item: Message) -> dict[str, Any]:
    if not any(isinstance(part, ImagePart) for part in item.content):
        return {"role": "user", "content": "\n".join(_words(part) for part in item.content)}
    content: list[dict[str, Any]] = []
    for part in item.content:
        if isinstance(part, ImagePart):
            image = {"url": part.url} if part.detail is None else {"url": part.url, "detail": part.detail}
            content.append({"type": "image_url", "image_url": image})
        else:
            content.append({"type": "text", "text": _words(part)})
    return {"role": "user", "content": content}


def _words(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case AudioPart():
            return part.transcript or ""
        case ImagePart():
            return ""


def chat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A realtime tool is flat, a chat tool has its function inside."""
    function = {name: tool[name] for name in ("name", "description", "parameters", "strict") if name in tool}
    return {"type": "function", "function": function}


def chat_tool_choice(choice: str | Mapping[str, Any]) -> Any:
    """`auto`, `none`, `required`, or one function by name."""
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice.get("name", "")}}
