"""A conversation put together as chat messages, from items or blocks in the order of another API.

Rules: plain text stays a string (every server reads that); calls that follow each other share one assistant message;
pictures in a tool's result follow in a message of the user's, because a chat's tool messages hold text alone.
"""

from typing import Any

import orjson

from router.proxy.documents import JsonObject

Part = JsonObject
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_PICTURE = 1600  # what Anthropic says of a picture of the largest useful size


def text_part(text: str) -> Part:
    """A text."""
    return {"type": "text", "text": text}


def joined(parts: list[Part], between: str = "") -> str:
    """The texts of parts."""
    return between.join(part["text"] for part in parts if part["type"] == "text")


class Transcript:
    """Grows message by message; `messages` is complete after `end`."""

    def __init__(self) -> None:
        self.messages: list[JsonObject] = []
        self._pictures: list[Part] = []

    def instruct(self, text: str) -> None:
        """What the model is told to be."""
        self._put({"role": "system", "content": text})

    def ask(self, parts: list[Part]) -> None:
        """What the user says: text, pictures, sound, files."""
        pictures, self._pictures = self._pictures, []
        parts = [*pictures, *parts]
        only = len(parts) == 1 and parts[0]["type"] == "text"
        self.messages.append({"role": "user", "content": parts[0]["text"] if only else parts})

    def answer(self, text: str) -> None:
        """What the assistant said."""
        last = self._last_assistant()
        if last is not None and last["content"] is None:
            last["content"] = text
        else:
            self._put({"role": "assistant", "content": text})

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """A function that the assistant called."""
        last = self._last_assistant()
        if last is None:
            last = {"role": "assistant", "content": None}
            self._put(last)
        function = {"name": name, "arguments": arguments}
        last.setdefault("tool_calls", []).append({"id": call_id, "type": "function", "function": function})

    def result(self, call_id: str, parts: list[Part]) -> None:
        """What a function gave."""
        self._pictures += [part for part in parts if part["type"] != "text"]
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": joined(parts, "\n")})

    def end(self) -> list[JsonObject]:
        """All messages."""
        if self._pictures:
            self.ask([])
        return self.messages

    def _put(self, message: JsonObject) -> None:
        if self._pictures:
            self.ask([])
        self.messages.append(message)

    def _last_assistant(self) -> dict[str, Any] | None:
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last["role"] == "assistant" else None


def count_tokens(chat: JsonObject) -> int:
    """About how many tokens a chat has: characters over four, and something for each message and picture."""
    tokens = TOKENS_PER_MESSAGE * len(chat["messages"])
    characters = len(orjson.dumps(chat["tools"])) if "tools" in chat else 0
    for message in chat["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
            if part["type"] == "text":
                characters += len(part["text"])
            else:
                tokens += TOKENS_PER_PICTURE
        for call in message.get("tool_calls", ()):
            characters += len(call["function"]["name"]) + len(call["function"]["arguments"])
    return tokens + -(-characters // CHARACTERS_PER_TOKEN)
