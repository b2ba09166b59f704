"""The parts of a response that are the same wherever they stand: text with what is known of it, calls, usage."""

from collections.abc import Mapping
from typing import Any

import orjson

from router.proxy.documents import JsonObject

from .blocks import Block, count
from .responses_tools import Named


def called(block: Block, named: Named | None) -> JsonObject:
    """A call under the name that the caller knows; free text is taken out of its arguments."""
    space = {"namespace": named.namespace} if named is not None and named.namespace is not None else {}
    who = {"call_id": block.call_id, "name": block.name if named is None else named.name, **space}
    if named is not None and named.custom:
        return {"type": "custom_tool_call", "input": free_text(block.text), **who}
    return {"type": "function_call", "arguments": block.text, **who}


def free_text(arguments: str) -> str:
    """The one text of a custom tool's arguments; what has another shape stays as it is."""
    try:
        given = orjson.loads(arguments or '{"input":""}')
    except orjson.JSONDecodeError:
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments


def part(block: Block) -> JsonObject:
    match block.kind:
        case "reasoning":
            return {"type": "summary_text", "text": block.text}
        case "refusal":
            return {"type": "refusal", "refusal": block.text}
        case _:
            return {
                "type": "output_text",
                "annotations": [citation(note) for note in block.annotations],
                "logprobs": [told_token(token) for token in block.logprobs],
                "text": block.text,
            }


def told_token(token: Mapping[str, Any]) -> JsonObject:
    """A token and how likely it was; with its rivals."""
    rivals = token.get("top_logprobs")
    told = [_token(rival) for rival in rivals if isinstance(rival, Mapping)] if isinstance(rivals, list) else []
    return _token(token) | {"top_logprobs": told}


def _token(token: Mapping[str, Any]) -> JsonObject:
    text, logprob = str(token.get("token", "")), token.get("logprob")
    return {
        "token": text,
        "logprob": float(logprob) if isinstance(logprob, int | float) else 0.0,
        "bytes": list(text.encode()),
    }


def citation(note: Mapping[str, Any]) -> JsonObject:
    """A chat's citation, flat."""
    inner = note.get("url_citation")
    inner = inner if isinstance(inner, Mapping) else note
    texts = {name: str(inner.get(name) or "") for name in ("url", "title")}
    return {"type": "url_citation", **texts, **{name: count(inner, name) for name in ("start_index", "end_index")}}


def used(usage: Mapping[str, Any] | None) -> JsonObject | None:
    """A chat's usage in the words of this API; None without one."""
    if usage is None:
        return None
    given, answered = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": count(usage, "prompt_tokens_details", "cached_tokens"),
            "cache_write_tokens": count(usage, "prompt_tokens_details", "cache_write_tokens", "cache_creation_tokens"),
        },
        "output_tokens": answered,
        "output_tokens_details": {
            "reasoning_tokens": count(usage, "completion_tokens_details", "reasoning_tokens"),
        },
        "total_tokens": count(usage, "total_tokens") or given + answered,
    }
