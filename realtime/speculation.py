"""A reply on a guess: begun inside the silence window, kept back until the turn is over, thrown away if it is not.

At the first longer pause the words so far are asked for; the machine says what request they would lead to; the reply
to it starts, and nothing of it leaves. When the turn ends with an equal request the reply is adopted as it stands;
speech that goes on, or other words in the end, drop it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .account import Account
from .protocol import ReplyRequest
from .reply import Reply, let_go
from .studio import Studio
from .transcribing import Transcribing

TRIES_PER_TURN = 3
LONGEST_SPEECH_MS = 10_000
Foresee = Callable[[str, Mapping[str, Any] | None], ReplyRequest | None]  # of words and a voice profile


class Speculation:
    """At most one guess at a time."""

    def __init__(self, studio: Studio, group: asyncio.TaskGroup, account: Account, foresee: Foresee) -> None:
        self._studio = studio
        self._group = group
        self._account = account
        self._foresee = foresee
        self._task: asyncio.Task[None] | None = None
        self._reply: Reply | None = None
        self._turn: Transcribing | None = None
        self._tries = 0

    def begin(self, turn: Transcribing) -> None:
        """The user pauses: guess that the turn ends here."""
        if turn is not self._turn:
            self._turn, self._tries = turn, 0
        if self._tries >= TRIES_PER_TURN or turn.duration_ms > LONGEST_SPEECH_MS:
            return
        self.drop()
        self._tries += 1
        self._task = self._group.create_task(self._guess(turn))
        self._task.add_done_callback(let_go)

    async def _guess(self, turn: Transcribing) -> None:
        transcript = await turn.peek()
        if transcript is None or not transcript.text:
            return
        profile = await turn.profile(transcript)
        request = self._foresee(transcript.text, profile.facts() or None)
        if request is None:
            return
        reply = self._reply = Reply(self._studio, request, self._account)
        reply.task = self._task
        self._tell("begun")
        await reply.run()

    def adopt(self, request: ReplyRequest) -> Reply | None:
        """The reply begun for exactly this request, if there is one; it is no longer a guess then."""
        reply = self._reply
        if reply is None or reply.request != request:
            self.drop()
            return None
        self._reply = self._task = None
        self._tell("adopted")
        return reply

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
