"""The responses of a session and who has the floor: one in the conversation, any number (bounded) beside it.

Everything that begins, interrupts or ends a response goes through here, and through the table of turns.
"""

from dataclasses import replace

from .alarms import Alarm, Alarms
from .broken import BrokenInvariantError
from .client_events import CancelResponse, CreateResponse, Fault, ResponseOptions
from .effects import CancelReply, DropAudio, StartReply
from .inputs import prepare, resolved
from .items import Item
from .listener import Listener
from .overrides import objects, overridden
from .reply_events import EndReason, ResponseStatus
from .requests import context, forget, own_context, request, with_words
from .response import Response
from .server_events import LimitsTold
from .state import SessionState
from .toolbox import Toolbox
from .turns import Act, Signal, TurnState, step
from .usage import Attempts

_MOST_UNASKED = 16


class Replies:
    """Responses that are not done, and the floor."""

    def __init__(self, state: SessionState, alarms: Alarms, listener: Listener) -> None:
        self._state = state
        self.toolbox = Toolbox(state)
        self._alarms = alarms
        self._listener = listener
        self.floor = TurnState.IDLE
        self.main: Response | None = None
        self.side: dict[str, Response] = {}
        self.owed: ResponseOptions | None = None  # asked for, or due, as soon as the present response is done
        self._joinable = False  # what is owed was not asked for by the client
        self._unasked = 0  # responses in a row that nobody asked for

    def fire(self, signal: Signal) -> None:
        """Move the floor as the table says, and do what it asks for."""
        transition = step(self.floor, signal)
        self.floor = transition.to
        for act in transition.acts:
            if act is Act.CANCEL_RESPONSE:
                self._end_main("cancelled", "turn_detected")
            elif act is Act.START_REPLY:
                self._start(self._require_main())
            elif act is Act.ARM_IDLE:
                self._arm_idle()
            else:
                self._alarms.disarm(Alarm.IDLE)

    def _require_main(self) -> Response:
        if self.main is None:
            raise BrokenInvariantError("the table acts on the conversation's response, and there is none")
        return self.main

    def _arm_idle(self) -> None:
        detection = self._state.settings.turn_detection
        if detection is not None and detection.kind == "server_vad" and detection.idle_timeout_ms is not None:
            self._alarms.arm(Alarm.IDLE, self._listener.rest_ms + detection.idle_timeout_ms)

    def create(self, asked: CreateResponse) -> None:
        """The client wants an answer."""
        state = self._state
        if state.settings.kind == "transcription":
            state.refuse("invalid_value", "A transcription session makes no responses.", "type")
            return
        if objects(state, asked.options):
            return
        if not asked.options.in_conversation:
            self._begin_beside(asked.options)
            return
        if self.main is not None and self.main.joinable:
            self.main.joinable = False
        elif self.main is not None and self.main.tools_answered and (self.owed is None or self._joinable):
            self.owe(asked.options, joinable=False)
        else:
            self.begin(asked.options)

    def go_on(self, responses: set[str | None]) -> None:
        """Where the session goes on by itself: once all tool outputs of a response are there, reply."""
        state, conversation = self._state, self._state.conversation
        wanted = state.settings.provider.get("auto_tool_response", state.rules.auto_tool_response)
        if not wanted or state.settings.kind == "transcription":
            return
        if conversation.owes_answers(responses) or conversation.awaits_servers(responses):
            return
        if self._unasked >= _MOST_UNASKED:  # a model that calls tool servers for ever costs money for ever
            return
        if self.main is None and not self.floor.hears:
            self.begin(ResponseOptions(), joinable=True)
        elif self.main is not None:
            self.owe(ResponseOptions(), joinable=True)

    def owe(self, options: ResponseOptions, *, joinable: bool) -> None:
        """Reply as soon as the present response is done: its tools are answered, only its sound is still coming."""
        self.owed, self._joinable = options, joinable

    def begin(self, options: ResponseOptions, *, automatic: bool = False, joinable: bool = False) -> None:
        """Begin a response in the conversation, or say why not."""
        state = self._state
        if self.main is not None:
            state.refuse(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.main.id}. "
                "Wait until the response is finished before creating a new one.",
            )
            return
        response = self._made(options, automatic=automatic)
        if response is None:
            return
        response.joinable = joinable
        self.main = response
        self._unasked = self._unasked + 1 if joinable else 0
        self.owed = None
        self.fire(Signal.RESPONSE_WAITS if response.awaits else Signal.RESPONSE_STARTS)

    def _begin_beside(self, options: ResponseOptions) -> None:
        state = self._state
        if len(self.side) >= state.rules.side_response_limit:
            state.refuse("rate_limit_exceeded", f"{len(self.side)} responses are active beside the conversation.")
            return
        response = self._made(options)
        if response is None:
            return
        self.side[response.id] = response
        if not response.awaits:
            self._start(response)

    def _made(self, options: ResponseOptions, *, automatic: bool = False) -> Response | None:
        """A response that was announced; None when its input was refused."""
        state = self._state
        inputs = resolved(state, options)
        if inputs is None and options.input is not None:
            return None
        settings = overridden(state, options)
        response = Response(state, settings, in_conversation=options.in_conversation, metadata=options.metadata)
        response.automatic = automatic
        prepare(response, state, inputs, self.toolbox)
        return response

    def _start(self, response: Response) -> None:
        """The words are known: ask for the reply."""
        state = self._state
        response.started = True
        response.attempts = (*state.transcript_attempts, *response.attempts)
        state.transcript_attempts = ()
        items = self._context(response)
        if items is None:
            fault = Fault(code="context_length_exceeded", message="The conversation is too long and may not be cut.")
            self._end(response, "failed", fault=fault)
            return
        offer = self.toolbox.offer(response.settings)
        response.calls.remote = offer.remote
        wanted = request(response.settings, items, offer, metadata=response.metadata, voice_profile=state.voice_profile)
        state.say(StartReply(response.id, wanted))

    def _context(self, response: Response) -> tuple[Item, ...] | None:
        state = self._state
        if response.inputs is None:
            items = context(state.conversation, response.settings, state.rules)
            if items is not None:
                forget(state.conversation, items)
            return items
        return own_context(response.inputs, state.conversation)

    def words_known(self, item_id: str, text: str) -> None:
        """The words of an item are final, or the item is gone."""
        for response in self._all():
            if item_id not in response.awaits:
                continue
            response.awaits.discard(item_id)
            response.has_words = response.has_words or bool(text.strip())
            response.inputs = with_words(response.inputs, item_id, text)
            if not response.awaits:
                self._words_complete(response)

    def _words_complete(self, response: Response) -> None:
        if response is not self.main:
            self._start(response)
        elif response.automatic and not response.has_words:
            self._end(response, "cancelled", "turn_detected")
        else:
            self.fire(Signal.WORDS_ARRIVE)

    def words_lost(self, item_id: str, fault: Fault) -> None:
        """An item stays without words: what waits for it fails."""
        for response in self._all():
            if item_id in response.awaits:
                response.attempts = self._state.transcript_attempts
                self._state.transcript_attempts = ()
                self._end(response, "failed", fault=fault)

    def _all(self) -> list[Response]:
        mine = [self.main] if self.main is not None else []
        return [*mine, *self.side.values()]

    def cancel(self, asked: CancelResponse) -> None:
        """The client wants no more of it."""
        response = self.main if asked.response_id is None else self.find(asked.response_id)
        if response is None:
            self._state.refuse("response_cancel_not_active", "Cancellation failed: no active response found")
            return
        self._end(response, "cancelled", "client_cancelled")

    def find(self, response_id: str) -> Response | None:
        """The response with this id, while it is active."""
        if self.main is not None and self.main.id == response_id:
            return self.main
        return self.side.get(response_id)

    def finish(self, response: Response) -> None:
        """The reply is complete."""
        if response.length_reason is not None:
            self._end(response, "incomplete", response.length_reason)
        else:
            self._end(response, "completed")

    def fail(self, response: Response, fault: Fault, attempts: Attempts) -> None:
        """Nobody could make the reply."""
        response.attempts = (*response.attempts, *attempts)
        self._end(response, "failed", fault=fault)

    def end_all(self, fault: Fault) -> None:
        """The session ends."""
        self.owed = None
        for response in self._all():
            self._end(response, "failed", fault=fault)

    def _end(
        self,
        response: Response,
        status: ResponseStatus,
        reason: EndReason | None = None,
        fault: Fault | None = None,
    ) -> None:
        if response is self.main:
            self._end_main(status, reason, fault)
            self.fire(Signal.RESPONSE_ENDS)
            self._settle()
        else:
            del self.side[response.id]
            self._close(response, status, reason, fault)

    def _settle(self) -> None:
        """After a response: answer the tool outputs that came meanwhile, if nobody speaks."""
        if self.owed is not None and self.floor is TurnState.IDLE:
            self.begin(self.owed, joinable=self._joinable)

    def _end_main(self, status: ResponseStatus, reason: EndReason | None = None, fault: Fault | None = None) -> None:
        response = self._require_main()
        self.main = None
        entry = self._state.conversation.get(response.message_id or "")
        speaks = "audio" in response.settings.modalities
        self._close(response, status, reason, fault)
        if entry is not None and speaks:
            self._listener.plays(entry)
        if status == "cancelled" and speaks:
            self._listener.interrupt()

    def _close(self, response: Response, status: ResponseStatus, reason: EndReason | None, fault: Fault | None) -> None:
        state = self._state
        if status in {"cancelled", "failed"} and response.started:
            state.say(CancelReply(response.id))
        if status == "cancelled":
            state.say(DropAudio(response.id))
        response.usage = replace(
            response.usage,
            speech_input_ms=response.usage.speech_input_ms + state.transcribed_ms,
            speech_characters=response.spoken_characters,
        )
        state.transcribed_ms = 0
        response.finish(status, reason, fault)
        if state.limits:
            state.say(LimitsTold(state.limits))
