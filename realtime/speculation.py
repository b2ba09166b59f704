"""A reply on a guess: begun inside the silence window, kept back until the turn is over, thrown away if it is not.

At the first longer pause the words so far are asked for; the machine says what request they would lead to; the reply
to it starts, and nothing of it leaves. When the turn ends with an equal request the reply is adopted as it stands;
speech that goes on, or other words in the end, drop it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from router.refusal import Refusal

from .account import Account
from .prompting import chat_document
from .protocol import ReplyRequest
from .reply import Reply, let_go
from .studio import Studio
from .transcribing import Transcribing

TRIES_PER_TURN = 3
LONGEST_SPEECH_MS = 10_000
Foresee = Callable[[str], ReplyRequest | None]


class Speculation:
    """At most one guess at a time."""

    def __init__(self, studio: Studio, group: asyncio.TaskGroup, account: Account) -> None:
        self._studio = studio
        self._group = group
        self._account = account
        self._task: asyncio.Task[None] | None = None
        self._reply: Reply | None = None
        self._turn: Transcribing | None = None
        self._tries = 0

    def begin(self, turn: Transcribing, foresee: Foresee) -> None:
        """The user pauses: guess that the turn ends here."""
        if turn is not self._turn:
            self._turn, self._tries = turn, 0
        if self._tries >= TRIES_PER_TURN or turn.duration_ms > LONGEST_SPEECH_MS:
            return
        self.drop()
        self._tries += 1
        self._task = self._group.create_task(self._guess(turn, foresee))
        self._task.add_done_callback(let_go)

    async def _guess(self, turn: Transcribing, foresee: Foresee) -> None:
        transcript = await turn.peek()
        if transcript is not None:
            await turn.profile(transcript)
        request = foresee(transcript.text) if transcript is not None and transcript.text else None
        if request is None:
            return
        reply = self._reply = Reply(self._studio, request, self._account)
        reply.task = self._task
        self._tell("begun")
        await reply.run()

    def adopt(self, request: ReplyRequest) -> Reply | None:
        """The reply begun for exactly this request, if there is one; it is no longer a guess then."""
        reply = self._reply
        if reply is None or not self._same(reply, request):
            self.drop()
            return None
        self._reply = self._task = None
        self._tell("adopted")
        return reply

    def _same(self, reply: Reply, request: ReplyRequest) -> bool:
        """Whether the guess is the reply to this request: all but the voice is equal, and the voice routes it alike."""
        guessed = reply.request
        if replace(guessed, voice_profile=None) != replace(request, voice_profile=None):
            return False
        return guessed.voice_profile == request.voice_profile or self._routed(guessed) == self._routed(request)

    def _routed(self, request: ReplyRequest) -> tuple[str | None, ...]:
        try:
            document = chat_document(request, self._account.session_id, self._studio.settings.prompts)
            decision = self._studio.router.decide(document, self._account.caller(request.voice_profile))
        except Refusal:
            return ()
        return decision.model, decision.route_id, decision.variant_id

    def drop(self) -> None:
        """Not so. May be repeated."""
        if self._task is not None:
            self._task.cancel()
        if self._reply is not None:
            self._tell("dropped")
        self._task = self._reply = None

    def _tell(self, outcome: str) -> None:
        for observer in self._studio.observers:
            observer.on_speculation(outcome)
