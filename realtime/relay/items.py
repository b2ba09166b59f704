"""The conversation as it must be told again to another upstream: its items, in order, in words where there are words.

What the user said stays as sound until its transcript is known. Bounded: the oldest items go first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .frames import joined, size_of

MOST_ITEMS = 1000
MOST_BYTES = 8 * 1024 * 1024
ASSISTANT_PARTS = ("text", "audio", "output_text", "output_audio")


@dataclass(slots=True)
class Kept:
    """One item. `sound` is what the user said, in base64, while nobody knows the words."""

    wire: dict[str, Any]
    sound: Sequence[bytes] = ()
    sound_ms: float = 0.0  # of an assistant's item: how much of it there is
    size_bytes: int = field(init=False, default=0)

    def weigh(self) -> int:
        """How much it takes, roughly."""
        self.size_bytes = 200 + sum(map(len, self.sound)) + sum(map(_size, _parts(self.wire)))
        return self.size_bytes


def _parts(wire: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = wire.get("content")
    parts: list[Mapping[str, Any]] = []
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
    return parts or [wire]


def _size(part: Mapping[str, Any]) -> int:
    return sum(len(value) for value in part.values() if isinstance(value, str))


class Items:
    """The items of one conversation, by id."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._kept

    def put(self, wire: Mapping[str, Any], *, after: Any = None) -> None:
        """An item is there, or is known better now. `after`: the id of the one before it."""
        item_id = wire.get("id")
        if not isinstance(item_id, str):
            return
        known = self._kept.get(item_id)
        if known is None:
            self._insert(item_id, Kept(dict(wire)), after)
        else:
            known.wire = _richer(known.wire, wire)
            self._weigh(known)

    def heard(self, item_id: str, sound: Sequence[bytes]) -> None:
        """What the user said is an item now."""
        wire = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        if item_id not in self._kept:
            self._insert(item_id, Kept(wire, sound), None)

    def transcribed(self, item_id: Any, text: Any) -> None:
        """The words of what the user said are known."""
        known = self._kept.get(item_id) if isinstance(item_id, str) else None
        if known is None or not isinstance(text, str) or not text:
            return
        known.wire["content"] = [{"type": "input_text", "text": text}]
        known.sound = ()
        self._weigh(known)

    def sounded(self, item_id: Any, milliseconds: float) -> None:
        """So much more of a reply was sent."""
        known = self._kept.get(item_id) if isinstance(item_id, str) else None
        if known is not None:
            known.sound_ms += milliseconds

    def cut(self, item_id: Any, heard_ms: Any) -> None:
        """The user heard so much of a reply: it keeps its share of the words."""
        known = self._kept.get(item_id) if isinstance(item_id, str) else None
        if known is None or not isinstance(heard_ms, int | float):
            return
        words = said(known.wire).split()
        share = heard_ms / known.sound_ms if known.sound_ms > 0 else 1.0
        kept = " ".join(words[: round(len(words) * max(0.0, min(1.0, share)))])
        known.wire["content"] = [{"type": "output_text", "text": kept}]
        self._weigh(known)

    def drop(self, item_id: Any) -> None:
        """An item is gone."""
        known = self._kept.pop(item_id, None) if isinstance(item_id, str) else None
        if known is not None:
            self._bytes -= known.size_bytes

    def again(self, *, text: str = "output_text") -> Iterator[dict[str, Any]]:
        """Every item that another upstream can be told, as one creates it. `text`: the type of an assistant's words."""
        for kept in self._kept.values():
            wire = _told_again(kept, text)
            if wire is not None:
                yield wire

    def _insert(self, item_id: str, kept: Kept, after: Any) -> None:
        self._bytes += kept.weigh()
        names = list(self._kept)
        if isinstance(after, str) and after in self._kept and names[-1] != after:
            at = names.index(after) + 1
            order = [*names[:at], item_id, *names[at:]]
            self._kept = {name: kept if name == item_id else self._kept[name] for name in order}
        else:
            self._kept[item_id] = kept
        while len(self._kept) > MOST_ITEMS or (self._bytes > MOST_BYTES and len(self._kept) > 1):
            self.drop(next(iter(self._kept)))

    def _weigh(self, kept: Kept) -> None:
        self._bytes -= kept.size_bytes
        self._bytes += kept.weigh()


def said(wire: Mapping[str, Any]) -> str:
    """The words of an item."""
    found = (part.get("text") or part.get("transcript") for part in _parts(wire))
    return " ".join(text for text in found if isinstance(text, str) and text)


def _richer(known: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What the client sent stays (the answer leaves sound and pictures out); what the upstream makes grows."""
    grows = told.get("role") == "assistant" or told.get("type") in ("function_call", "mcp_call")
    if not grows:
        return known
    if told.get("role") == "assistant" and not said(told):
        return {**told, "content": known.get("content", [])}
    return dict(told)


def _told_again(kept: Kept, text: str) -> dict[str, Any] | None:
    wire = kept.wire
    match wire.get("type"), wire.get("role"):
        case "message", "assistant":
            words = said(wire)
            content: list[dict[str, Any]] = [{"type": text, "text": words}] if words else []
        case "message", _:
            content = [part for one in _parts(wire) for part in _input_part(one, kept)]
        case "function_call", _ if wire.get("status") not in ("in_progress", "incomplete"):
            return _only(wire, "id", "type", "name", "call_id", "arguments")
        case "function_call_output", _:
            return _only(wire, "id", "type", "call_id", "output")
        case _:
            return None
    return {**_only(wire, "id", "type", "role"), "content": content} if content else None


def _input_part(part: Mapping[str, Any], kept: Kept) -> list[dict[str, Any]]:
    kind = part.get("type")
    if kind in ("input_text", "input_image"):
        return [dict(part)]
    if kind != "input_audio":
        return []
    if isinstance(part.get("transcript"), str) and part["transcript"]:
        return [{"type": "input_text", "text": part["transcript"]}]
    if isinstance(part.get("audio"), str) and part["audio"]:
        return [{"type": "input_audio", "audio": part["audio"]}]
    if any(size_of(sound) for sound in kept.sound):
        return [{"type": "input_audio", "audio": joined(kept.sound)}]
    return []


def _only(wire: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: wire[name] for name in names if wire.get(name) is not None}
