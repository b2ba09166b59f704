"""Calls of tool servers (MCP): an item `mcp_call` from its arguments to its output, with or without an approval.

A call outlives the response it was made in when that ends before the call does: because the client is asked first, or
because somebody interrupted. It is answered once, whatever becomes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .effects import CallTool
from .items import FunctionCall, FunctionOutput, Item, McpItem
from .pipeline_events import ToolAnswered
from .reply_events import PartPlace, ToolServerProgress
from .server_events import ItemDone
from .state import SessionState
from .tool_servers import RemoteTool, function_name

CUT_OFF: Mapping[str, Any] = {"type": "tool_execution_error", "message": "The call was cut off before it was made."}


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A call that has no output yet; `approval_id`: the item that asks for leave, once it was asked."""

    place: PartPlace
    tool: RemoteTool
    arguments: str
    approval_id: str | None = None
    running: bool = False

    def item(self, **result: Any) -> McpItem:
        """The call as an item, with what is known of it."""
        asked = {} if self.approval_id is None else {"approval_request_id": self.approval_id}
        return call_item(self.place.item_id, self.tool, self.arguments, **asked, **result)


def call_item(item_id: str, tool: RemoteTool, arguments: str = "", **known: Any) -> McpItem:
    """An item `mcp_call`."""
    fields = {"server_label": tool.server.label, "name": tool.name, "arguments": arguments, **known}
    return McpItem(item_id, "mcp_call", fields)


def approval_item(item_id: str, tool: RemoteTool, arguments: str) -> McpItem:
    """The question whether a call may be made."""
    fields = {"server_label": tool.server.label, "name": tool.name, "arguments": arguments}
    return McpItem(item_id, "mcp_approval_request", fields)


def launch(state: SessionState, call: RemoteCall) -> None:
    """Make the call."""
    place = call.place
    state.remote_calls[place.item_id] = replace(call, running=True)
    entry = state.conversation.get(place.item_id)
    if entry is not None:
        entry.remote = "running"
    state.say(
        ToolServerProgress("response.mcp_call", "in_progress", place.item_id, place.output_index),
        CallTool(place.item_id, call.tool.server, call.tool.name, call.arguments),
    )


def awaiting(state: SessionState, approval_id: str) -> list[RemoteCall]:
    """The call that waits for this approval, if there is one."""
    return [call for call in state.remote_calls.values() if call.approval_id == approval_id and not call.running]


def denied(item: McpItem, at_ms: float, call: RemoteCall) -> ToolAnswered:
    """What a model is told of a call that was not approved."""
    reason = item.fields.get("reason")
    message = f"The call was not approved: {reason}" if reason else "The call was not approved."
    error = {"type": "tool_execution_error", "message": message}
    return ToolAnswered(item_id=call.place.item_id, error=error, at_ms=at_ms)


def settle(state: SessionState, event: ToolAnswered) -> tuple[RemoteCall, McpItem] | None:
    """The call is answered: tell so; the call and its item, or None when nobody waits for it."""
    call = state.remote_calls.pop(event.item_id, None)
    if call is None:
        return None
    result = {"output": event.output} if event.error is None else {"error": dict(event.error)}
    stage = "completed" if event.error is None else "failed"
    state.say(ToolServerProgress("response.mcp_call", stage, event.item_id, call.place.output_index))  # type: ignore[arg-type]  # a literal either way
    entry = state.conversation.get(event.item_id)
    if entry is not None:
        entry.remote = None
    return call, call.item(**result)


def finish_item(state: SessionState, item: Item) -> None:
    """An item will not grow any more."""
    entry = state.conversation.get(item.id)
    if entry is not None:
        entry.item = item
        state.say(ItemDone(item, state.conversation.before(item.id)))


def as_functions(item: McpItem) -> tuple[Item, ...]:
    """An item of a tool server as a model shall see it: a call with its output; of anything else, nothing."""
    output, error = item.fields.get("output"), item.fields.get("error")
    if item.kind != "mcp_call" or (output is None and error is None):
        return ()
    told = output if output is not None else f"Error: {error.get('message') if isinstance(error, Mapping) else error}"
    name = function_name(item.fields["server_label"], item.fields["name"])
    call = FunctionCall(item.id, item.id, name, item.fields["arguments"])
    return call, FunctionOutput(f"{item.id}_output", item.id, told)
