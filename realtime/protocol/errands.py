"""What tool servers (MCP) report, and what the client says of their calls; a reply that waited for it goes on."""

from .items import McpItem
from .pipeline_events import ToolAnswered, ToolsListed
from .remote_calls import awaiting, denied, finish_item, launch, settle
from .replies import Replies
from .state import SessionState


class Errands:
    """The way from a server's answer to whoever waits for it."""

    def __init__(self, state: SessionState, replies: Replies) -> None:
        self._state = state
        self._replies = replies

    def listed(self, event: ToolsListed) -> None:
        """A server has told its tools, or never will."""
        if self._replies.toolbox.listed(event):
            self._replies.words_known(event.item_id, "")

    def awaits(self, item: McpItem) -> bool:
        """Whether this approval is asked for."""
        return bool(awaiting(self._state, item.fields["approval_request_id"]))

    def decide(self, item: McpItem) -> None:
        """The client approves a call, or does not."""
        for call in awaiting(self._state, item.fields["approval_request_id"]):
            if item.fields["approve"]:
                launch(self._state, call)
            else:
                self.answered(denied(item, self._state.now_ms, call))

    def answered(self, event: ToolAnswered) -> None:
        """A call has its output: in the response that waits for it, else in the conversation alone."""
        settled = settle(self._state, event)
        if settled is None:
            return
        call, item = settled
        response = self._replies.find(call.place.response_id)
        if response is None or not response.calls.answered(item):
            finish_item(self._state, item)
        self._replies.words_known(item.id, "")
        self._replies.go_on({call.place.response_id})
        if response is not None and response.complete:
            self._replies.finish(response)
