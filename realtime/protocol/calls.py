"""The tool calls of one response: the client's, which end with their arguments, and those that a server answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .items import FunctionCall, ItemStatus, McpItem
from .output import Output
from .remote_calls import CUT_OFF, RemoteCall, approval_item, call_item, launch
from .reply_events import ArgumentsAdded, ArgumentsDone, PartPlace, ToolServerArguments, ToolServerProgress
from .state import SessionState
from .tool_servers import RemoteTool


@dataclass(slots=True)
class _Call:
    """A tool call while it grows."""

    place: PartPlace
    name: str
    tool: RemoteTool | None  # of a server
    arguments: list[str] = field(default_factory=list)


class Calls:
    """Those that are not done. `remote` says which functions are a server's."""

    def __init__(self, state: SessionState, output: Output) -> None:
        self._state = state
        self._output = output
        self.remote: Mapping[str, RemoteTool] = {}
        self._open: dict[str, _Call] = {}  # by the model's id
        self._running: dict[str, PartPlace] = {}  # that a server is working on, by item

    @property
    def run(self) -> bool:
        """Whether a server is working on any."""
        return bool(self._running)

    def growing(self, item_id: str) -> bool:
        """Whether this item is a call whose arguments are still coming."""
        return any(call.place.item_id == item_id for call in self._open.values())

    def begin(self, call_id: str, name: str) -> None:
        """A tool call."""
        if call_id in self._open:
            return
        tool = self.remote.get(name)
        if tool is not None:
            place = self._output.open(lambda item_id: call_item(item_id, tool))
        else:
            place = self._output.open(lambda item_id: FunctionCall(item_id, call_id, name, "", "in_progress"))
            self._state.conversation.note_call(call_id)
        self._open[call_id] = _Call(place, name, tool)

    def extend(self, call_id: str, text: str) -> None:
        """More arguments."""
        call = self._open.get(call_id)
        if call is not None and text:
            call.arguments.append(text)
            place, remote = call.place, call.tool is not None
            self._state.say(ToolServerArguments(place, text) if remote else ArgumentsAdded(place, call_id, text))

    def end(self, call_id: str, status: ItemStatus = "completed") -> None:
        """The arguments are complete (or will never be)."""
        call = self._open.pop(call_id, None)
        if call is None:
            return
        arguments = "".join(call.arguments)
        if call.tool is not None:
            self._end_remote(RemoteCall(call.place, call.tool, arguments), whole=status == "completed")
            return
        self._state.say(ArgumentsDone(call.place, call_id, call.name, arguments))
        self._output.close(call.place, FunctionCall(call.place.item_id, call_id, call.name, arguments, status))

    def end_all(self, status: ItemStatus) -> None:
        """No more arguments come."""
        for call_id in list(self._open):
            self.end(call_id, status)

    def _end_remote(self, call: RemoteCall, *, whole: bool) -> None:
        """The arguments of a server's tool are complete: call it, or ask whether one may."""
        state, output, place = self._state, self._output, call.place
        state.say(ToolServerArguments(place, call.arguments, done=True))
        if not whole:
            state.say(ToolServerProgress("response.mcp_call", "failed", place.item_id, place.output_index))
            output.close(place, call.item(error=dict(CUT_OFF)))
        elif call.tool.asks:
            question = output.open(lambda item_id: approval_item(item_id, call.tool, call.arguments))
            output.close(question, approval_item(question.item_id, call.tool, call.arguments))
            state.remote_calls[place.item_id] = call = replace(call, approval_id=question.item_id)
            output.leave(place, call.item())
        else:
            self._running[place.item_id] = place
            launch(state, call)

    def answered(self, item: McpItem) -> bool:
        """A server has answered; False when the response does not wait for it."""
        place = self._running.pop(item.id, None)
        if place is None:
            return False
        self._output.close(place, item)
        return True

    def leave(self) -> None:
        """The response ends: what servers are working on goes on without it."""
        for item_id, place in self._running.items():
            self._output.leave(place, self._state.remote_calls[item_id].item())
        self._running.clear()
