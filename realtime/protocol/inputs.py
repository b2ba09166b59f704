"""What a response is made from before it starts: the items it was given, and the words it has to wait for."""

from dataclasses import replace

from .client_events import ResponseOptions
from .effects import TranscribeItem
from .items import Item, ItemReference
from .requests import recorded
from .response import Response
from .state import SessionState
from .toolbox import Toolbox


def resolved(state: SessionState, options: ResponseOptions) -> tuple[Item, ...] | None:
    """The items of `input`, every one with an id; None without any. Refuses (None, too) a reference to nothing."""
    if options.input is None:
        return None
    items: list[Item] = []
    for number, item in enumerate(options.input):
        if isinstance(item, ItemReference):
            entry = state.conversation.get(item.id)
            if entry is None:
                message = f"Item with id {item.id!r} does not exist in the conversation."
                state.refuse("invalid_value", message, f"response.input[{number}].id")
                return None
            items.append(entry.item)
        else:
            items.append(item if item.id else replace(item, id=state.fresh_item_id()))
    return tuple(items)


def prepare(response: Response, state: SessionState, inputs: tuple[Item, ...] | None, toolbox: Toolbox) -> None:
    """Announce the response, and find out what it has to wait for: words, and unless it answers speech, tool servers.

    Without inputs, for those of the conversation.
    """
    response.inputs = inputs
    response.announce()
    awaited, asked = state.conversation.awaited_ids(), toolbox.want(response.settings.tools)
    if not response.automatic:
        response.awaits = asked | (state.conversation.running_ids() if inputs is None else set())
    if inputs is None:
        response.awaits |= awaited
        return
    for item in inputs:
        recording = recorded(item)
        if item.id in awaited or recording is not None:
            response.awaits.add(item.id)
        if recording is not None and item.id not in state.conversation:
            state.say(TranscribeItem(item.id, recording))
