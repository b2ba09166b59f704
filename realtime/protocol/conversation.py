"""The conversation: items in order, each with what the model may see of it.

An id belongs to one item at a time. A client may delete a settled item and create another under its id, as some do to
change one; the id of an item that is still being made or transcribed stays taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .items import FunctionCall, FunctionOutput, Item, McpItem
from .playback import Playback


@dataclass(slots=True)
class Entry:
    """An item and what only we know about it.

    `spoken` is all that was said, also after the wire forgot it. `heard` stands for the words in the model's context
    once the user did not hear all; `awaited` means that the words are still being transcribed; `forgotten` means that
    truncation of the history took it out of the context. `remote`: a tool server's item that is not done, because
    the server has to answer, or the client to approve.
    """

    item: Item
    response_id: str | None = None
    playback: Playback | None = None
    spoken: str = ""
    heard: str | None = None
    awaited: bool = False
    forgotten: bool = False
    remote: Literal["running", "asked"] | None = None

    @property
    def settled(self) -> bool:
        """Nothing more will be reported of this item."""
        if isinstance(self.item, McpItem):
            return self.remote is None
        return not self.awaited and self.item.status != "in_progress"


class Conversation:
    """Ordered entries by id."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._order: list[str] = []
        self._entries: dict[str, Entry] = {}
        self._used: set[str] = set()
        self._calls: set[str] = set()

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._entries

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[item_id] for item_id in self._order)

    def get(self, item_id: str) -> Entry | None:
        """The entry with this id, if it is still there."""
        return self._entries.get(item_id)

    def used(self, item_id: str) -> bool:
        """Whether the id is taken."""
        return item_id in self._used

    def reserve(self, item_id: str) -> None:
        """Take an id for an item that may come, or that lives outside of the conversation."""
        self._used.add(item_id)

    def add(self, entry: Entry, *, after: str | None = None) -> str | None:
        """Put an item in: at the end, at the front (`after` "root"), or after another; returns its predecessor."""
        item = entry.item
        where = len(self._order)
        if after is not None:
            where = 0 if after == "root" else self._order.index(after) + 1
        self._order.insert(where, item.id)
        self._entries[item.id] = entry
        self._used.add(item.id)
        if isinstance(item, FunctionCall):
            self._calls.add(item.call_id)
        return self._order[where - 1] if where else None

    def before(self, item_id: str) -> str | None:
        """The predecessor of an item."""
        where = self._order.index(item_id)
        return self._order[where - 1] if where else None

    def remove(self, item_id: str) -> None:
        """Take an item out."""
        self._order.remove(item_id)
        if self._entries.pop(item_id).settled:
            self._used.discard(item_id)

    def knows_call(self, call_id: str) -> bool:
        """Whether a tool call with this id was ever made, in or beside the conversation."""
        return call_id in self._calls

    def note_call(self, call_id: str) -> None:
        """Remember a call that was made beside the conversation."""
        self._calls.add(call_id)

    def awaited_ids(self) -> set[str]:
        """Items whose words are still unknown."""
        return {entry.item.id for entry in self if entry.awaited}

    def running_ids(self) -> set[str]:
        """Items that a tool server is working on."""
        return {entry.item.id for entry in self if entry.remote == "running"}

    def responses_of(self, call_id: str) -> set[str | None]:
        """The responses this tool call was made in; None: by the client itself."""
        return {one.response_id for one in self if isinstance(one.item, FunctionCall) and one.item.call_id == call_id}

    def owes_answers(self, responses: set[str | None]) -> bool:
        """Whether the client still has to answer a tool call of these responses."""
        answered = {entry.item.call_id for entry in self if isinstance(entry.item, FunctionOutput)}
        calls = [
            one.item.call_id for one in self if isinstance(one.item, FunctionCall) and one.response_id in responses
        ]
        return any(call_id not in answered for call_id in calls)

    def awaits_servers(self, responses: set[str | None]) -> bool:
        """Whether a tool server's call of these responses still lacks its output."""
        return any(entry.remote is not None and entry.response_id in responses for entry in self)
