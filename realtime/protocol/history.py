"""What the model gets to see of the conversation, and what is forgotten when it grows too long.

Tokens are estimated: four characters each, and four for the frame of an item. The oldest items go first; a tool output
goes with its call. `auto` forgets as little as needed, a retention ratio forgets down to its share of the limit (and
so keeps the provider's prompt cache useful for longer), `disabled` forgets nothing and lets the response fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from .conversation import Entry
from .items import AudioPart, FunctionCall, FunctionOutput, ImagePart, Item, Message, Part, TextPart
from .settings import Retention

_CHARACTERS_PER_TOKEN = 4
_FRAME_TOKENS = 4
_IMAGE_TOKENS = 800


def readable(entry: Entry) -> Item | None:
    """The item as the model shall see it: words only, as far as they were heard; None when nothing is left."""
    item = entry.item
    if not isinstance(item, Message):
        return item
    if entry.heard is not None:
        parts: tuple[Part, ...] = (TextPart(entry.heard),)
    else:
        parts = _words(item)
    parts = tuple(part for part in parts if not (isinstance(part, TextPart) and not part.text.strip()))
    return Message(item.id, item.role, parts) if parts else None


def _words(message: Message) -> tuple[Part, ...]:
    """Text and pictures; speech as its transcript, unless the assistant wrote the same words as well."""
    if message.role == "assistant" and any(isinstance(part, TextPart) for part in message.content):
        return tuple(part for part in message.content if isinstance(part, TextPart))
    return tuple(TextPart(part.transcript or "") if isinstance(part, AudioPart) else part for part in message.content)


def tokens(item: Item) -> int:
    """About how many tokens an item takes."""
    if isinstance(item, Message):
        images = sum(isinstance(part, ImagePart) for part in item.content)
        size = sum(len(part.text) for part in item.content if isinstance(part, TextPart))
        return _FRAME_TOKENS + images * _IMAGE_TOKENS + size // _CHARACTERS_PER_TOKEN
    if isinstance(item, FunctionCall):
        return _FRAME_TOKENS + (len(item.name) + len(item.arguments)) // _CHARACTERS_PER_TOKEN
    if isinstance(item, FunctionOutput):
        return _FRAME_TOKENS + len(item.output) // _CHARACTERS_PER_TOKEN
    return 0


def fit(
    items: Sequence[Item], truncation: Literal["auto", "disabled"] | Retention, limit_tokens: int
) -> tuple[Item, ...] | None:
    """The newest items that fit, or None when they do not and nothing may be forgotten."""
    limit, goal = limit_tokens, limit_tokens
    if isinstance(truncation, Retention):
        limit = min(limit, truncation.limit_tokens or limit)
        goal = int(limit * truncation.ratio)
    sizes = [tokens(item) for item in items]
    total = sum(sizes)
    if total <= limit:
        return tuple(items)
    if truncation == "disabled":
        return None
    first = 0
    while first < len(items) - 1 and total > goal:
        total -= sizes[first]
        first += 1
    return paired(items[first:])


def paired(items: Sequence[Item]) -> tuple[Item, ...]:
    """Tool calls followed by their outputs; calls without an output yet, and outputs without a call, are left out.

    Models refuse anything else, and a conversation may well have it: the user spoke before the tool had answered.
    Calls that stand together stay together, for models that call several tools in one go.
    """
    outputs: dict[str, list[FunctionOutput]] = {}
    for item in items:
        if isinstance(item, FunctionOutput):
            outputs.setdefault(item.call_id, []).append(item)
    kept: list[Item] = []
    answers: list[Item] = []  # of the calls just kept
    for item in items:
        if isinstance(item, FunctionCall):
            if outputs.get(item.call_id):
                kept.append(item)
                answers.append(outputs[item.call_id].pop(0))
            continue
        kept += answers
        answers = []
        if not isinstance(item, FunctionOutput):
            kept.append(item)
    return (*kept, *answers)


def transcribed(message: Message, text: str) -> Message:
    """The message with these words for its speech; the recording is no longer needed."""
    content = tuple(
        replace(part, transcript=text, audio=None) if isinstance(part, AudioPart) and part.transcript is None else part
        for part in message.content
    )
    return replace(message, content=content)


def routing_facts(provider: Mapping[str, object]) -> tuple[str | None, Mapping[str, str]]:
    """The user and the metadata a router may look at, from the vendor extensions; null takes a field away again."""
    user = provider.get("user_id")
    metadata = provider.get("metadata")
    stated = metadata if isinstance(metadata, Mapping) else {}
    facts = {str(name): str(value) for name, value in stated.items() if value is not None}
    return (user if isinstance(user, str) else None), facts
