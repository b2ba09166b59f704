"""One reply in the making: the words being written and, when audio is wanted, spoken.

A reply may be started on a guess (`speculation`): then it keeps what it has to tell until it is released under the id
of a response, and speaks no further than its first segment.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from policies import Decision

from . import protocol as p
from .account import Account
from .latency import TurnStamps
from .outbox import Outbox
from .replying import Writing
from .speaking import Speaking
from .studio import Studio

Post = Callable[[p.Event], None]


def let_go(task: asyncio.Task[None]) -> None:
    """When it is over: a cancelled task keeps its error, and with that all it was about, until somebody asks for it.

    Replies are cancelled all day; what they leave would wait for the garbage collector, which stops everybody.
    """
    with suppress(asyncio.CancelledError):
        task.exception()


class Reply:
    """Made from one request. Either `open`ed before `run`, or run first and `release`d later."""

    def __init__(self, studio: Studio, request: p.ReplyRequest, account: Account) -> None:
        self._studio = studio
        self.request = request
        self._account = account
        self.response_id = ""
        self._post: Post | None = None
        self._held: list[Any] = []
        self._held_words: list[str] = []  # of the last one held
        self.released = asyncio.Event()
        self.outbox: Outbox | None = None
        self.stamps: TurnStamps | None = None
        self._decision: Decision | None = None
        self.task: asyncio.Task[None] | None = None
        self._writing: Writing | None = None
        self._speaking: Speaking | None = None

    def open(self, response_id: str, post: Post, outbox: Outbox, stamps: TurnStamps) -> None:
        """From now on tell everything, under this id; what was held back first."""
        self.response_id, self._post, self.outbox, self.stamps = response_id, post, outbox, stamps
        if self._decision is not None:
            stamps.routed(response_id, self._decision)
        self._join_words()
        held, self._held = self._held, []
        for event in held:
            self.tell(replace(event, response_id=response_id))
        self.released.set()

    def release(self, response_id: str, post: Post, outbox: Outbox, stamps: TurnStamps) -> asyncio.Task[None]:
        """Adopt a running guess."""
        self.open(response_id, post, outbox, stamps)
        if self.task is None:
            raise p.BrokenInvariantError("a reply was released that never ran")
        return self.task

    def tell(self, event: Any) -> None:
        """Report to the session, or keep it."""
        if self._post is None:
            self._hold(event)
            return
        if self.stamps is not None:
            self.stamps.told(self.response_id, event)
        self._post(event)

    def routed(self, decision: Decision) -> None:
        """Its words have been routed."""
        self._decision = decision
        if self.stamps is not None:
            self.stamps.routed(self.response_id, decision)

    def _hold(self, event: Any) -> None:
        """Keep it; words that nobody has seen yet may as well be told in one piece."""
        if isinstance(event, p.TextDelta):
            if not self._held_words:
                self._held.append(event)
            self._held_words.append(event.text)
        else:
            self._join_words()
            self._held.append(event)

    def _join_words(self) -> None:
        if len(self._held_words) > 1:
            self._held[-1] = replace(self._held[-1], text="".join(self._held_words))
        self._held_words.clear()

    def cut(self) -> p.Attempts:
        """Call nobody any more, at once (the task still has to be cancelled); the attempts that were not told yet."""
        written = self._writing.cut() if self._writing is not None else ()
        return (*written, *(self._speaking.cut() if self._speaking is not None else ()))

    async def run(self) -> None:
        """Write and speak, side by side."""
        self._writing = writing = Writing(self, self._studio)
        if not self.request.speaks:
            await writing.run(self._studio.router, self._account)
            return
        self._speaking = speaking = Speaking(self, self._studio, self._account.session_id)
        writing.words = speaking.words
        try:
            async with asyncio.TaskGroup() as group:
                spoken = group.create_task(speaking.run())
                if await writing.run(self._studio.router, self._account):
                    speaking.no_more_words()
                else:
                    spoken.cancel()
        except asyncio.CancelledError as cut:
            raise cut.with_traceback(None) from None  # the group's frame holds the error that holds the frame
