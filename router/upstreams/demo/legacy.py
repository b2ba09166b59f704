"""The older completions endpoint: a prompt becomes a message, chat shapes become text shapes. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

_EVENT = b"data: "


def as_chat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The request as a chat; without a prompt that can be answered, no messages."""
    prompt = document.get("prompt")
    if isinstance(prompt, list):
        prompt = "\n".join(part for part in prompt if isinstance(part, str))
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt.strip() else []
    return {**document, "messages": messages}


def as_text(content: bytes) -> bytes:
    """A chat.completion, or whole events of one, as text_completion."""
    if not content.startswith(_EVENT):
        return _shaped(content)
    events = [part.removeprefix(_EVENT) for part in content.split(b"\n\n") if part]
    return b"".join(_EVENT + (one if one == b"[DONE]" else _shaped(one)) + b"\n\n" for one in events)


def _shaped(content: bytes) -> bytes:
    document = orjson.loads(content)
    document["object"] = "text_completion"
    document["choices"] = [
        {
            "index": choice["index"],
            "text": (choice.get("message") or choice.get("delta") or {}).get("content") or "",
            "logprobs": None,
            "finish_reason": choice["finish_reason"],
        }
        for choice in document["choices"]
    ]
    return orjson.dumps(document)
