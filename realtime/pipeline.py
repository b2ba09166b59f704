"""Carries out what the session machine asks for: replies, transcripts, timers, listening. One per connection.

Every task belongs to the connection's task group. Nothing here decides anything: reports go back to the machine, which
ignores what is stale.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from . import protocol as p
from .account import Account
from .latency import TurnStamps
from .mcp.errands import McpErrands
from .outbox import Outbox
from .recordings import Recordings
from .reply import Reply, let_go
from .speculation import Foresee, Speculation
from .studio import Studio
from .timers import Timers
from .utterances import Utterances

log = logging.getLogger("realtime.session")
Post = Callable[[p.Event], None]


class Pipeline:
    """The hands of one session."""

    def __init__(
        self,
        studio: Studio,
        group: asyncio.TaskGroup,
        outbox: Outbox,
        account: Account,
        *,
        post: Post,
        foresee: Foresee,
    ) -> None:
        """`post` hands the machine an event, `foresee` asks it what a turn that ends now would lead to."""
        self._studio = studio
        self._group = group
        self._outbox = outbox
        self._post = post
        self._account = account
        self.stamps = TurnStamps(studio, account.session_id)
        self._speculation = Speculation(studio, group, account, foresee)
        self._replies: dict[str, tuple[Reply, asyncio.Task[None]]] = {}
        self.timers = Timers(post, studio.clock_ms)
        mcp = studio.settings.mcp
        self._errands = McpErrands(
            studio.tls,
            allow_private=account.principal.kind == "open" if mcp.allow_private is None else mcp.allow_private,
            limit_s=mcp.timeout_s,
            session_id=account.session_id,
        )
        self._untold: tuple[str, p.Attempts] = "", ()  # of the reply that was cancelled last
        self.recordings = Recordings(studio.settings.limits.kept_audio_kib * 1024)
        self._tasks: set[asyncio.Task[None]] = set()
        self._utterances = Utterances(
            studio,
            account,
            post,
            self._spawn,
            stamps=self.stamps,
            speculation=self._speculation,
            recordings=self.recordings,
        )
        self.ear = self._utterances.ear
        self._spawn(studio.warm())

    def perform(self, effect: p.Effect) -> None:
        """Carry out one effect. Never blocks."""
        match effect:
            case p.StartReply():
                self._start_reply(effect)
            case p.CancelReply():
                self._cancel_reply(effect.response_id)
            case p.DropAudio():
                self._outbox.drop(effect.response_id)
            case p.BeginUtterance():
                self._utterances.open(effect.item_id, effect.audio_start_ms)
            case p.CommitUtterance():
                self._utterances.commit(effect)
            case p.DropUtterance():
                self._utterances.drop()
            case p.TranscribeItem():
                self._utterances.transcribe(effect)
            case p.ListTools():
                self._spawn(self._report(self._errands.list(effect)))
            case p.CallTool():
                self._spawn(self._report(self._errands.call(effect)))
            case p.ApplySettings():
                self._utterances.apply(effect.settings)
            case p.WakeAfter():
                self.timers.wake_after(effect)
            case p.CancelTimer():
                self.timers.cancel(effect.timer_id)
            case p.TruncateHeard():
                log.debug("reply cut", extra={"fields": {"heard_ms": round(effect.heard_ms), "source": effect.source}})
            case p.CloseConnection():
                self._outbox.close(effect.code, effect.reason)

    def close(self) -> None:
        """Stop everything at once. May be repeated."""
        for _, task in self._replies.values():
            task.cancel()
        for task in self._tasks:
            task.cancel()
        self.timers.close()
        self._speculation.drop()
        self.ear.close()
        self._errands.close()

    async def _report(self, errand: Awaitable[p.ToolsListed | p.ToolAnswered]) -> None:
        self._post(replace(await errand, at_ms=self._studio.clock_ms()))

    def _start_reply(self, effect: p.StartReply) -> None:
        response_id = effect.response_id
        self.stamps.begun(response_id)
        reply = self._speculation.adopt(effect.request)
        if reply is not None:
            task = reply.release(response_id, self._post, self._outbox, self.stamps)
        else:
            reply = Reply(self._studio, effect.request, self._account)
            reply.open(response_id, self._post, self._outbox, self.stamps)
            task = self._group.create_task(reply.run())
        self._replies[response_id] = (reply, task)
        task.add_done_callback(lambda _: self._replies.pop(response_id, None))
        task.add_done_callback(let_go)

    def _cancel_reply(self, response_id: str) -> None:
        found = self._replies.pop(response_id, None)
        if found is not None:
            self._untold = response_id, found[0].cut()
            found[1].cancel()
            self.stamps.cancelled(response_id)

    def complete(self, done: p.ResponseDone) -> p.ResponseDone:
        """The end of a response, with the attempts of the reply that was just cancelled for it."""
        response_id, attempts = self._untold
        if response_id != done.response.id or not attempts:
            return done
        self._untold = "", ()
        return p.ResponseDone(replace(done.response, attempts=(*done.response.attempts, *attempts)))

    def keep_sound(self, sound: p.AudioSpoken) -> None:
        """Keep what is sent of a reply, for a client that retrieves the item."""
        found = self._replies.get(sound.place.response_id)
        if found is not None:
            self.recordings.add(sound.place.item_id, sound.audio, found[0].request.output_format)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(let_go)
        return task
