"""The lists of tool servers (MCP) of one session: asked for once for each definition, then offered to replies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .conversation import Entry
from .effects import ListTools
from .items import McpItem
from .pipeline_events import ToolsListed
from .remote_calls import finish_item
from .reply_events import ToolServerProgress
from .server_events import ItemAdded
from .settings import SessionSettings
from .state import SessionState
from .tool_servers import Definition, Offer, ServerTool, admitted, is_remote, offer, server_of

_MOST_LISTS = 64


@dataclass(slots=True)
class _Listing:
    """The tools of one definition; None: not known, and `pending` as long as they may come."""

    definition: Definition
    item_id: str
    tools: tuple[ServerTool, ...] | None = None
    pending: bool = True


class Toolbox:
    """What the servers of a session can do."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._lists: list[_Listing] = []

    def want(self, tools: Sequence[Definition], *, again: bool = False) -> set[str]:
        """Have the tools of these servers listed. Gives the items of the lists that are not there yet.

        `again`: also where it failed before.
        """
        pending: set[str] = set()
        for definition in tools:
            if not is_remote(definition):
                continue
            found = self._find(definition)
            if found is None or (again and found.tools is None and not found.pending):
                found = self._ask(definition)
            if found.pending:
                pending.add(found.item_id)
        return pending

    def _find(self, definition: Definition) -> _Listing | None:
        return next((one for one in reversed(self._lists) if one.definition == definition), None)

    def _ask(self, definition: Definition) -> _Listing:
        state = self._state
        item = _list_item(state.fresh_item_id(), definition, ())
        found = _Listing(definition, item.id)
        self._lists = [*self._lists[1 - _MOST_LISTS :], found]
        before = state.conversation.add(Entry(item, remote="running"))
        state.say(
            ItemAdded(item, before),
            ToolServerProgress("mcp_list_tools", "in_progress", item.id),
            ListTools(item.id, server_of(definition)),
        )
        return found

    def listed(self, event: ToolsListed) -> bool:
        """A list has come, or never will; whether anybody had asked."""
        found = next((one for one in self._lists if one.item_id == event.item_id and one.pending), None)
        if found is None:
            return False
        found.pending, found.tools = False, event.tools
        entry = self._state.conversation.get(event.item_id)
        if entry is not None:
            entry.remote = None
        failed = {} if event.tools is not None else {"error": event.reason}
        finish_item(self._state, _list_item(event.item_id, found.definition, event.tools or (), **failed))
        stage = "completed" if event.tools is not None else "failed"
        self._state.say(ToolServerProgress("mcp_list_tools", stage, event.item_id))  # type: ignore[arg-type]  # a literal either way
        return True

    def offer(self, settings: SessionSettings) -> Offer:
        """What a reply with these settings may call."""
        if not any(is_remote(tool) for tool in settings.tools):
            return Offer(settings.tools, settings.tool_choice)
        lists: dict[str, tuple[ServerTool, ...]] = {}
        for definition in settings.tools:
            found = self._find(definition) if is_remote(definition) else None
            if found is not None and found.tools is not None:
                lists[definition["server_label"]] = found.tools
        return offer(settings.tools, settings.tool_choice, lists)


def _list_item(item_id: str, definition: Definition, tools: Sequence[ServerTool], **more: Any) -> McpItem:
    shown = [
        {
            "name": tool.name,
            "input_schema": tool.input_schema,
            **({"description": tool.description} if tool.description is not None else {}),
            **({"annotations": tool.annotations} if tool.annotations is not None else {}),
        }
        for tool in admitted(definition, tools)
    ]
    return McpItem(item_id, "mcp_list_tools", {"server_label": definition["server_label"], "tools": shown, **more})
