"""The items of one response, in order: each is announced when it is opened, and done once."""

from collections.abc import Callable

from .conversation import Entry
from .items import FunctionCall, Item, McpItem, Message
from .remote_calls import finish_item
from .reply_events import OutputItemAdded, OutputItemDone, PartPlace
from .server_events import ItemAdded
from .state import SessionState


class Output:
    """Those of a response that has this id. `in_conversation`: they are the conversation's, too."""

    def __init__(self, state: SessionState, response_id: str, *, in_conversation: bool) -> None:
        self._state = state
        self._response_id = response_id
        self._in_conversation = in_conversation
        self.items: list[Item] = []

    def open(self, make: Callable[[str], Message | FunctionCall | McpItem]) -> PartPlace:
        """A new item, made for the id it is given; where its first part goes."""
        state, item = self._state, make(self._state.fresh_item_id())
        place = PartPlace(self._response_id, item.id, len(self.items), 0)
        self.items.append(item)
        state.say(OutputItemAdded(self._response_id, place.output_index, item))
        if self._in_conversation:
            before = state.conversation.add(Entry(item, response_id=self._response_id))
            state.say(ItemAdded(item, before))
        return place

    def close(self, place: PartPlace, item: Item) -> None:
        """The item as it stays."""
        finish_item(self._state, item)
        self._done(place, item)

    def leave(self, place: PartPlace, item: McpItem) -> None:
        """A call that goes on when the response does not."""
        entry = self._state.conversation.get(item.id)
        if entry is not None:
            entry.item = item
            entry.remote = entry.remote or "asked"
        self._done(place, item)

    def _done(self, place: PartPlace, item: Item) -> None:
        self.items[place.output_index] = item
        self._state.say(OutputItemDone(self._response_id, place.output_index, item))
