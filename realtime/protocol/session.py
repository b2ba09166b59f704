"""The session machine: events in, server events and effects out, in order. Pure."""

from collections.abc import Callable

from .client_events import ClientEvent
from .effects import Effect, ReplyRequest
from .pipeline_events import PipelineEvent
from .rules import SessionRules
from .server_events import ServerEvent
from .settings import SessionSettings

Event = ClientEvent | PipelineEvent
Output = ServerEvent | Effect


class SessionMachine:
    """One voice session. Touched by one task only."""

    def __init__(
        self, settings: SessionSettings, *, ids: Callable[[str], str], rules: SessionRules | None = None
    ) -> None:
        """`ids(kind)` gives a fresh id with kind `sess`, `conv`, `item`, `resp`, `timer` in front."""
        self.settings = settings
        self._ids = ids
        self._rules = rules or SessionRules()

    def receive(self, event: Event) -> tuple[Output, ...]:
        """Take one event; say what the client is told and what has to be done, in that order."""
        raise NotImplementedError

    def foresee(self, transcript: str) -> ReplyRequest | None:
        """The request the automatic response would get if the open utterance ended now with these words.

        None when none would be made. The shell may start on it inside the silence window, keep its output to itself,
        and adopt it when `StartReply` brings an equal request; nothing of a speculation is reported before.
        """
        raise NotImplementedError
