"""Responses under way: what the client has been told of each, so that one whose upstream dies can be ended properly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Wire = Mapping[str, Any]
WORDS = ("response.output_audio_transcript.delta", "response.output_text.delta")
SOUND = "response.output_audio.delta"
USED = ("input_tokens", "output_tokens", "total_tokens")


@dataclass(slots=True)
class Under:
    """One response under way. `asked` is the client's frame; None: the upstream began by itself."""

    wire: dict[str, Any]
    asked: bytes | None
    items: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)  # open ones: place and item
    over: list[dict[str, Any]] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)
    spoke: bool = False  # the client was given words or sound
    sounded: bool = False

    @property
    def in_conversation(self) -> bool:
        """Whether it is part of the conversation."""
        return self.wire.get("conversation_id", "") is not None


class Responses:
    """All responses that have begun and are not over."""

    def __init__(self) -> None:
        self._under: dict[str, Under] = {}

    def __len__(self) -> int:
        return len(self._under)

    def began(self, wire: Wire, asked: bytes | None) -> str | None:
        """`response.created`; its id."""
        response = wire.get("response")
        if not isinstance(response, dict) or not isinstance(response.get("id"), str):
            return None
        self._under[response["id"]] = Under(dict(response), asked)
        return str(response["id"])

    def told(self, kind: str, wire: Wire) -> None:
        """An opened event of a response."""
        under = self._of(wire.get("response_id"))
        if under is None:
            return
        item = wire.get("item")
        if kind == "response.output_item.added" and isinstance(item, dict) and isinstance(item.get("id"), str):
            place = wire.get("output_index")
            under.items[item["id"]] = (place if isinstance(place, int) else 0, dict(item))
        elif kind == "response.output_item.done" and isinstance(item, dict):
            under.items.pop(str(item.get("id")), None)
            under.over.append(dict(item))
        elif kind in WORDS and isinstance(wire.get("delta"), str):
            under.spoke = True
            under.words.setdefault(str(wire.get("item_id")), []).append(wire["delta"])

    def converses(self, response_id: Any) -> bool:
        """Whether a response is part of the conversation, as far as one knows."""
        under = self._of(response_id)
        return under is None or under.in_conversation

    def sounded(self, response_id: Any) -> bool:
        """Sound of a response passes; whether it is the first the client gets of it."""
        under = self._of(response_id)
        if under is None:
            return False
        first, under.spoke, under.sounded = not under.sounded, True, True
        return first

    def ended(self, wire: Wire) -> bool:
        """`response.done`; whether that response was under way."""
        response = wire.get("response")
        name = response.get("id") if isinstance(response, dict) else None
        return isinstance(name, str) and self._under.pop(name, None) is not None

    def break_off(self, error: Wire) -> Iterator["Broken"]:
        """End all of them with an error. Afterwards none is under way."""
        every, self._under = self._under, {}
        for under in every.values():
            yield _broken(under, error)

    def _of(self, response_id: Any) -> Under | None:
        return self._under.get(response_id) if isinstance(response_id, str) else None


@dataclass(frozen=True, slots=True)
class Broken:
    """A response that was ended for its upstream: events for the client, its items, and whether to ask again."""

    events: list[dict[str, Any]]
    items: list[dict[str, Any]]
    again: bool
    asked: bytes | None


def _broken(under: Under, error: Wire) -> Broken:
    response_id = under.wire["id"]
    items = [
        (place, _as_far(item, "".join(under.words.get(name, ())), sounded=under.sounded))
        for name, (place, item) in under.items.items()
    ]
    events: list[dict[str, Any]] = []
    for place, item in items:
        events.append(
            {"type": "response.output_item.done", "response_id": response_id, "output_index": place, "item": item}
        )
        if under.in_conversation:
            events.append({"type": "conversation.item.done", "previous_item_id": None, "item": item})
    output = [*under.over, *(item for _, item in items)]
    details = {"type": "failed", "error": {"type": error["type"], "code": error["code"]}}
    response = {**under.wire, "status": "failed", "status_details": details, "output": output, "usage": None}
    events.append({"type": "response.done", "response": response})
    again = under.in_conversation and not under.spoke and not under.over
    kept = [item for _, item in items if under.in_conversation and item.get("type") == "message"]
    return Broken(events, kept, again, under.asked)


def _as_far(item: Wire, words: str, *, sounded: bool) -> dict[str, Any]:
    """The item with the words that were said of it."""
    if item.get("type") != "message":
        return {**item, "status": "incomplete"}
    part = {"type": "output_audio", "transcript": words} if sounded else {"type": "output_text", "text": words}
    content = [part] if words else []
    return {**item, "status": "incomplete", "content": content}


def used(wire: Wire) -> dict[str, int]:
    """The tokens of a `response.done`; empty where it says nothing of use."""
    response = wire.get("response")
    usage = response.get("usage") if isinstance(response, dict) else None
    if not isinstance(usage, dict):
        return {}
    counts = {name: usage.get(name) for name in USED}
    return {name: value for name, value in counts.items() if type(value) is int and value >= 0}
