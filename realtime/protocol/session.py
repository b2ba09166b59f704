"""The session machine: events in, server events and effects out, in order. Pure.

It only leads each event to its room: `replies` (responses and the floor), `utterances` (the user's side), `desk` (items
and settings), `listener` (what was heard), `alarms` (timers). The law of who may speak is the table in `turns`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .alarms import Alarm, Alarms
from .audio_buffer import AudioBuffer
from .broken import BrokenInvariantError
from .client_events import ClientEvent, Fault, Malformed, Pong, UpdateSession
from .conversation import Conversation
from .desk import Desk
from .effects import CloseConnection, DropUtterance, Effect, ReplyRequest
from .errands import Errands
from .items import Message, TextPart
from .listener import Listener
from .pipeline_events import Disconnected, Draining, Opened, PipelineEvent, TimerFired
from .replies import Replies
from .reports import Reports
from .requests import context, request
from .routes import routes
from .rules import SessionRules
from .server_events import ConversationCreated, ErrorRaised, PingSent, SessionCreated, SessionUpdated
from .settings import SessionSettings
from .state import Output, SessionState
from .turns import TurnState
from .utterances import Utterances

Event = ClientEvent | PipelineEvent
_CLIENT_EVENTS = frozenset(ClientEvent.__args__)


class SessionMachine:
    """One voice session. Touched by one task only."""

    def __init__(
        self, settings: SessionSettings, *, ids: Callable[[str], str], rules: SessionRules | None = None
    ) -> None:
        """`ids(kind)` gives a fresh id for kind `sess`, `conv`, `item`, `resp` or `timer`; never the same twice."""
        self._state = state = SessionState(
            settings=settings,
            rules=rules or SessionRules(),
            ids=ids,
            conversation=Conversation(ids("conv")),
            buffer=AudioBuffer(settings.input_format),
        )
        self.session_id = ids("sess")
        self.closed = False
        self._alarms = Alarms(state)
        self._listener = Listener(state)
        self._replies = replies = Replies(state, self._alarms, self._listener)
        self._utterances = Utterances(state, replies, self._listener)
        errands = Errands(state, replies)
        self._desk = Desk(state, replies, self._listener, errands)
        self._rooms: Mapping[type, Callable[[Any], None]] = {
            **routes(replies, self._utterances, self._desk, Reports(state, replies, self._listener), errands),
            UpdateSession: self._update,
            Malformed: self._malformed,
            Pong: self._ignore,
            Opened: self._open,
            Disconnected: self._disconnected,
            Draining: self._drain,
            TimerFired: self._timer,
        }
        self._opened = False
        self._opened_ms = self._client_ms = 0.0
        self._epoch_s = 0
        self._draining = False

    @property
    def settings(self) -> SessionSettings:
        """The settings as they are now."""
        return self._state.settings

    @property
    def floor(self) -> TurnState:
        """Who has the floor."""
        return self._replies.floor

    def holds(self, item_id: str) -> bool:
        """Whether the item is in the conversation, where a client can retrieve it."""
        return self._state.conversation.get(item_id) is not None

    def receive(self, event: Event) -> tuple[Output, ...]:
        """Take one event; what the client is told and what has to be done, in that order.

        Never raises on a client event. Raises BrokenInvariantError when the shell does not keep to the protocol.
        """
        state, kind = self._state, type(event)
        if self.closed:
            return ()
        if not self._opened and kind is not Opened:
            raise BrokenInvariantError(f"the first event must be Opened, not {kind.__name__}")
        state.now_ms = max(state.now_ms, event.at_ms)
        if kind in _CLIENT_EVENTS:
            self._client_ms = state.now_ms
            state.event_id = getattr(event, "event_id", None)
        else:
            state.event_id = None
        self._rooms[kind](event)
        if self._draining and not self.closed and self.floor is TurnState.IDLE:
            self._close(CloseConnection(1001, "The server is shutting down."))
        if not state.out:
            return ()
        out, state.out = tuple(state.out), []
        return out

    def foresee(self, transcript: str, voice_profile: Mapping[str, Any] | None = None) -> ReplyRequest | None:
        """The request the automatic response would get if the open utterance ended now with these words, in this voice.

        None when none would be made. The shell may start on it inside the silence window, keep its output to itself,
        and adopt it when `StartReply` brings an equal request; nothing of a speculation is reported before.
        """
        state = self._state
        settings, item_id = state.settings, self._utterances.open_item_id
        detection = settings.turn_detection
        wanted = settings.kind == "realtime" and detection is not None and detection.create_response
        if item_id is None or not wanted or self._replies.main is not None or not transcript.strip():
            return None
        if state.conversation.awaited_ids():
            return None
        said = Message(item_id, "user", (TextPart(transcript),))
        items = context(state.conversation, settings, state.rules, extra=(said,))
        if items is None:
            return None
        offer = self._replies.toolbox.offer(settings)
        return request(settings, items, offer, metadata=None, voice_profile=voice_profile or state.voice_profile)

    def _open(self, event: Opened) -> None:
        state = self._state
        if self._opened:
            raise BrokenInvariantError("a session is opened once")
        self._opened, self._epoch_s = True, event.epoch_s
        self._opened_ms = self._client_ms = state.now_ms
        state.say(SessionCreated(self.session_id, state.settings, self._expires_at_s))
        state.say(ConversationCreated(state.conversation.id, state.settings.kind))
        self._replies.toolbox.want(state.settings.tools)
        rules = state.rules
        for alarm, delay_ms in (
            (Alarm.LIMIT, rules.session_limit_ms),
            (Alarm.QUIET, rules.quiet_limit_ms),
            (Alarm.PING, rules.ping_interval_ms),
        ):
            if delay_ms:
                self._alarms.arm(alarm, delay_ms)

    @property
    def _expires_at_s(self) -> int:
        return self._epoch_s + int(self._state.rules.session_limit_ms // 1000)

    def _update(self, event: UpdateSession) -> None:
        settings = self._desk.change(event)
        if settings is not None:
            self._state.say(SessionUpdated(self.session_id, settings, self._expires_at_s))
            if "tools" in event.patch:
                self._replies.toolbox.want(settings.tools, again=True)

    def _malformed(self, event: Malformed) -> None:
        self._state.say(ErrorRaised(event.fault, event.event_id))

    def _ignore(self, event: Pong) -> None:
        """A sign of life has been noted by its arrival."""

    def _drain(self, _event: Draining) -> None:
        self._draining = True

    def _timer(self, event: TimerFired) -> None:
        alarm, state = self._alarms.due(event.timer_id), self._state
        if alarm is Alarm.IDLE:
            self._utterances.time_out()
        elif alarm is Alarm.PING:
            elapsed_ms = int(state.now_ms - self._opened_ms)
            state.say(PingSent(self._epoch_s * 1000 + elapsed_ms))
            self._alarms.arm(Alarm.PING, state.rules.ping_interval_ms)
        elif alarm is Alarm.LIMIT:
            minutes = f"{state.rules.session_limit_ms / 60_000:g}"
            message = f"Your session hit the maximum duration of {minutes} minutes."
            self._expire("session_expired", message, 1001)
        elif alarm is Alarm.QUIET:
            quiet_ms = state.now_ms - self._client_ms
            if quiet_ms < state.rules.quiet_limit_ms:
                self._alarms.arm(Alarm.QUIET, state.rules.quiet_limit_ms - quiet_ms)
                return
            minutes = f"{state.rules.quiet_limit_ms / 60_000:g}"
            self._expire("session_idle_timeout", f"Nothing came from the client for {minutes} minutes.", 1000)

    def _expire(self, code: str, message: str, close_code: int) -> None:
        fault = Fault(code=code, message=message)
        self._replies.end_all(fault)
        self._state.say(ErrorRaised(fault))
        self._close(CloseConnection(close_code, message))

    def _close(self, last: CloseConnection) -> None:
        self._alarms.disarm_all()
        self._state.say(DropUtterance(self._utterances.open_item_id), last)
        self.closed = True

    def _disconnected(self, _event: Disconnected) -> None:
        """Nobody is there to be told anything: only what has to be stopped is left."""
        fault = Fault(code="client_disconnected", message="The client is gone.")
        self._replies.end_all(fault)
        self._close(CloseConnection(1000, "The client is gone."))
        self._state.out = [output for output in self._state.out if isinstance(output, Effect)]
