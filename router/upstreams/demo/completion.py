"""One demo answer in OpenAI's shapes: as a chat.completion, or as the chunks of a stream. Pure.

Tokens are whitespace tokens: `pieces` are the answer's words with the blanks before them, one delta each.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .replies import Messages, reply_text, text_of
from .samples import Sampler
from .tools import ToolCall, tool_calls

FINGERPRINT = "demo"
_PIECES = re.compile(r"\s*\S+|\s+$")
_CHOICES_CAP = 128


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: its text in pieces or its tool calls, why it ended, and what it cost in whitespace tokens."""

    id: str
    created: int
    model: str
    pieces: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    finish_reason: str
    choices: int
    prompt_tokens: int

    @property
    def tokens(self) -> int:
        """Whitespace tokens of one choice."""
        return len(self.pieces) + sum(len(call.arguments.split()) for call in self.calls)

    @property
    def usage(self) -> dict[str, Any]:
        """OpenAI's usage, flagged as counted in whitespace tokens."""
        completion = self.tokens * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "counted_in": "whitespace_tokens",
        }

    def as_json(self) -> bytes:
        """The chat.completion object."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.pieces), "refusal": None}
        if self.calls:
            message |= {"content": None, "tool_calls": [self._tool_call(n) for n in range(len(self.calls))]}
        choices = [
            {"index": index, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
            for index in range(self.choices)
        ]
        return orjson.dumps(self._envelope("chat.completion") | {"choices": choices, "usage": self.usage})

    def events(self, *, include_usage: bool = False) -> Iterator[bytes]:
        """SSE events before the finish: the role, then one event per piece (or per tool call and its arguments).

        `include_usage`: each says `usage: null`, as OpenAI's do when a usage chunk follows.
        """
        for delta in (part for index in range(self.choices) for part in self._deltas(index)):
            yield self._event(*delta, include_usage=include_usage)

    def ending(self, *, include_usage: bool) -> Iterator[bytes]:
        """The finish of each choice, the usage chunk if asked for, and `[DONE]`."""
        for index in range(self.choices):
            yield self._event(index, {}, self.finish_reason, include_usage=include_usage)
        if include_usage:
            yield _sse(self._envelope("chat.completion.chunk") | {"choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"

    def _tool_call(self, position: int) -> dict[str, Any]:
        call = self.calls[position]
        function = {"name": call.name, "arguments": call.arguments}
        return {"id": f"call_{self.id[-16:]}{position}", "type": "function", "function": function}

    def _deltas(self, index: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        yield index, {"role": "assistant", "content": None if self.calls else "", "refusal": None}
        for piece in self.pieces:
            yield index, {"content": piece}
        for position, call in enumerate(self.calls):
            head = self._tool_call(position)
            head["function"]["arguments"] = ""
            yield index, {"tool_calls": [{"index": position, **head}]}
            for part in _PIECES.findall(call.arguments):
                yield index, {"tool_calls": [{"index": position, "function": {"arguments": part}}]}

    def _event(
        self, index: int, delta: Mapping[str, Any], finish_reason: str | None = None, *, include_usage: bool
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if include_usage else {}
        return _sse(self._envelope("chat.completion.chunk") | {"choices": [choice]} | usage)

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }


def completion(document: Mapping[str, Any], target: str, *, call_id: str, created: int, long: bool) -> Completion:
    """Answer a chat completion request as the demo target named `target` ("demo/fast")."""
    messages: Messages = [message for message in document["messages"] if isinstance(message, Mapping)]
    calls = tuple(tool_calls(document, messages))
    pieces, reason = ((), "tool_calls") if calls else _cut(_text(document, messages, target, long=long), document)
    wanted = document.get("n")
    return Completion(
        id=call_id,
        created=created,
        model=target.partition("/")[2],
        pieces=pieces,
        calls=calls,
        finish_reason=reason,
        choices=min(wanted, _CHOICES_CAP) if isinstance(wanted, int) and wanted > 0 else 1,
        prompt_tokens=sum(len(text_of(message).split()) for message in messages),
    )


def _text(document: Mapping[str, Any], messages: Messages, target: str, *, long: bool) -> str:
    text = reply_text(messages, target, long=long)
    wanted = document.get("response_format")
    if not isinstance(wanted, Mapping):
        return text
    if wanted.get("type") == "json_object":
        return orjson.dumps({"reply": text, "model": target}).decode()
    if wanted.get("type") != "json_schema":
        return text
    schema = wanted.get("json_schema")
    schema = schema.get("schema", {}) if isinstance(schema, Mapping) else {}
    asked = next((text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")
    return orjson.dumps(Sampler(schema, asked).value()).decode()


def _cut(text: str, document: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    stops = document.get("stop")
    for stop in [stops] if isinstance(stops, str) else stops if isinstance(stops, list) else ():
        if isinstance(stop, str) and stop:
            text = text.partition(stop)[0]
    pieces = tuple(_PIECES.findall(text))
    limit = document.get("max_completion_tokens", document.get("max_tokens"))
    if isinstance(limit, int) and 0 < limit < len(pieces):
        return pieces[:limit], "length"
    return pieces, "stop"


def _sse(event: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"
