"""The client's own work on items and settings: create, retrieve, delete, truncate, update."""

import math
from dataclasses import replace

from .client_events import (
    CancelResponse,
    ClearOutput,
    CreateItem,
    DeleteItem,
    Fault,
    RetrieveItem,
    TruncateItem,
    UpdateSession,
)
from .conversation import Entry
from .effects import ApplySettings, TranscribeItem
from .errands import Errands
from .items import AudioPart, FunctionCall, FunctionOutput, Item, McpItem, Message, size_bytes
from .listener import Listener, silenced
from .replies import Replies
from .requests import recorded
from .server_events import ItemAdded, ItemDeleted, ItemDone, ItemRetrieved, ItemTruncated, OutputCleared
from .settings import SessionSettings
from .state import SessionState
from .tool_servers import unknown_server


class Desk:
    """Items and settings."""

    def __init__(self, state: SessionState, replies: Replies, listener: Listener, errands: Errands) -> None:
        self._state = state
        self._replies = replies
        self._errands = errands
        self._listener = listener

    def create(self, event: CreateItem) -> None:
        """Put an item of the client's into the conversation."""
        state = self._state
        fault = self._objection(event)
        if fault is not None:
            state.refuse(fault.code, fault.message, fault.param)
            return
        item = event.item if event.item.id else replace(event.item, id=state.fresh_item_id())
        if isinstance(item, FunctionCall) and not item.call_id:
            item = replace(item, call_id=state.ids("call"))
        recording = recorded(item)
        before = state.conversation.add(Entry(item, awaited=recording is not None), after=event.previous_item_id)
        shown = unrecorded(item)
        state.say(ItemAdded(shown, before), ItemDone(shown, before))
        if recording is not None:
            state.say(TranscribeItem(item.id, recording))
        if isinstance(item, FunctionOutput):
            self._replies.go_on(state.conversation.responses_of(item.call_id))
        elif isinstance(item, McpItem) and item.kind == "mcp_approval_response":
            self._errands.decide(item)

    def _objection(self, event: CreateItem) -> Fault | None:
        conversation, rules = self._state.conversation, self._state.rules
        item, after = event.item, event.previous_item_id
        if item.id and conversation.used(item.id):
            message = f"Error adding item: an item with id '{item.id}' already exists in the conversation."
            return Fault(code="item_create_duplicate_item_id", message=message, param="item.id")
        if after is not None and after != "root" and after not in conversation:
            message = f"Error adding item: previous item with id '{after}' does not exist in the conversation."
            return Fault(code="item_create_invalid_previous_item_id", message=message, param="previous_item_id")
        if isinstance(item, FunctionOutput) and not conversation.knows_call(item.call_id):
            message = f"Tool call ID '{item.call_id}' not found in conversation."
            return Fault(code="invalid_tool_call_id", message=message, param="item.call_id")
        if isinstance(item, McpItem) and item.kind == "mcp_approval_response" and not self._errands.awaits(item):
            message = f"No tool call waits for the approval '{item.fields['approval_request_id']}'."
            return Fault(code="invalid_value", message=message, param="item.approval_request_id")
        if isinstance(item, Message) and item.role == "assistant" and recorded(item) is not None:
            message = "Assistant audio cannot be created by clients; send the words as text."
            return Fault(code="invalid_value", message=message, param="item.content")
        if len(conversation) >= rules.item_limit:
            message = f"The conversation has {len(conversation)} items, the most it may have; delete some first."
            return Fault(code="conversation_full", message=message, param="item")
        if size_bytes(item) + sum(size_bytes(entry.item) for entry in conversation) > rules.content_limit_bytes:
            message = f"The items would take more than {rules.content_limit_bytes} bytes; delete some first."
            return Fault(code="conversation_full", message=message, param="item")
        return None

    def retrieve(self, event: RetrieveItem) -> None:
        """Show an item."""
        entry = self._state.conversation.get(event.item_id)
        if entry is None:
            self._missing("retriev", event.item_id)
        else:
            self._state.say(ItemRetrieved(entry.item))

    def delete(self, event: DeleteItem) -> None:
        """Remove an item; what waits for its words waits no longer."""
        state = self._state
        if event.item_id not in state.conversation:
            self._missing("delet", event.item_id)
            return
        state.conversation.remove(event.item_id)
        state.say(ItemDeleted(event.item_id))
        self._replies.words_known(event.item_id, "")

    def _missing(self, stem: str, item_id: str) -> None:
        self._state.refuse(
            f"item_{stem}e_invalid_item_id",
            f"Error {stem}ing item: the item with id '{item_id}' does not exist.",
            "item_id",
        )

    def truncate(self, event: TruncateItem) -> None:
        """The client says how much was heard: the wire forgets the words, the model keeps what was heard."""
        state = self._state
        entry = state.conversation.get(event.item_id)
        if entry is None:
            self._missing("truncat", event.item_id)
            return
        main = self._replies.main
        if main is not None and main.holds(event.item_id):
            self._replies.cancel(CancelResponse(response_id=main.id))
        fault = objection_to_cut(entry.item, event)
        if fault is not None:
            state.refuse(fault.code, fault.message, fault.param)
            return
        entry.item = silenced(entry.item, event.audio_end_ms)
        state.say(ItemTruncated(event.item_id, event.content_index, event.audio_end_ms))
        self._listener.remember(entry, event.audio_end_ms)

    def clear_output(self, _event: ClearOutput) -> None:
        """Silence, now. A response that is going on goes on."""
        response_id = self._listener.clear(self._replies.main)
        if response_id is not None:
            self._state.say(OutputCleared(response_id))

    def change(self, event: UpdateSession) -> SessionSettings | None:
        """The settings with the patch in them, applied; None when they were refused and nothing changed."""
        state = self._state
        wanted = state.settings.patched(event.patch)
        fault = self._objection_to_settings(wanted) or state.rules.refuse(state.settings, wanted)
        if fault is not None:
            state.refuse(fault.code, fault.message, fault.param)
            return None
        state.settings = wanted
        state.buffer.reformat(wanted.input_format)
        state.say(ApplySettings(wanted))
        return wanted

    def _objection_to_settings(self, wanted: SessionSettings) -> Fault | None:
        current, rules = self._state.settings, self._state.rules
        if wanted.kind != current.kind:
            message = f"The type of a session cannot change; it is '{current.kind}'."
            return Fault(code="invalid_value", message=message, param="settings.kind")
        if rules.locks_model and wanted.model != current.model:
            message = "The model of a session cannot change after it has started."
            return Fault(code="invalid_value", message=message, param="settings.model")
        label = unknown_server(wanted.tools, wanted.tool_choice)
        if label is not None:
            message = f"tool_choice names the tool server {label!r}, which is not among the tools."
            return Fault(code="invalid_value", message=message, param="settings.tool_choice.server_label")
        if rules.locks_voice and self._state.has_spoken and wanted.voice != current.voice:
            message = "Cannot update a conversation's voice if assistant audio is present."
            return Fault(code="cannot_update_voice", message=message, param="settings.voice")
        return None


def unrecorded(item: Item) -> Item:
    """The item as it is announced: without sound."""
    if not isinstance(item, Message):
        return item
    content = tuple(replace(part, audio=None) if isinstance(part, AudioPart) else part for part in item.content)
    return replace(item, content=content)


def objection_to_cut(item: Item, event: TruncateItem) -> Fault | None:
    """Why this item cannot be cut there."""
    content = item.content if isinstance(item, Message) and item.role == "assistant" else ()
    spoken = [part for part in content if isinstance(part, AudioPart)]
    if not spoken:
        message = "Only model output audio messages can be truncated"
        return Fault(code="invalid_value", message=message, param="item_id")
    if event.content_index >= len(content):
        message = f"The item has no content part {event.content_index}."
        return Fault(code="invalid_value", message=message, param="content_index")
    length_ms = math.ceil(spoken[0].duration_ms)
    if event.audio_end_ms > length_ms:
        message = f"Audio content of {length_ms}ms is already shorter than {event.audio_end_ms}ms"
        return Fault(code="invalid_value", message=message, param="audio_end_ms")
    return None
