"""Carries out what the session machine asks for: replies, transcripts, timers, listening. One per connection.

Every task belongs to the connection's task group. Nothing here decides anything: reports go back to the machine, which
ignores what is stale.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from . import protocol as p
from .account import Account
from .ear import BYTES_PER_MS, Ear, SpeechStarted, SpeechStopped, TurnRevoked, TurnSuggested, VerdictWanted
from .extensions import HearingWishes
from .judging import LISTENS_MS, verdict
from .latency import TurnStamps
from .mcp.errands import McpErrands
from .outbox import Outbox
from .recordings import Recordings
from .reply import Reply, let_go
from .speculation import Foresee, Speculation
from .stages.base import TurnEvent
from .studio import Studio
from .timers import Timers
from .transcribing import Transcribing

log = logging.getLogger("realtime.session")
Post = Callable[[p.Event], None]


class Pipeline:
    """The hands of one session."""

    def __init__(self, studio: Studio, group: asyncio.TaskGroup, outbox: Outbox, post: Post, account: Account) -> None:
        self._studio = studio
        self._group = group
        self._outbox = outbox
        self._post = post
        self._account = account
        self._settings = p.SessionSettings()
        self._wishes = HearingWishes()
        self.ear = Ear(studio.batcher, self._turn, start_frames=studio.start_frames)
        self.stamps = TurnStamps(studio, account.session_id)
        self.speculation = Speculation(studio, group, account)
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
        self._utterance: tuple[str, Transcribing] | None = None
        self._utterance_from_ms = 0.0
        self._suggested = False  # the end of this turn, to the client, and not revoked
        self.recordings = Recordings(studio.settings.limits.kept_audio_kib * 1024)
        self._tasks: set[asyncio.Task[None]] = set()
        self.foresee: Foresee | None = None  # the machine's
        self._keep(group.create_task(studio.warm()))

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
                self._begin(effect.item_id, effect.audio_start_ms)
            case p.CommitUtterance():
                self._commit(effect)
            case p.DropUtterance():
                self._drop_utterance()
            case p.TranscribeItem():
                self._transcribe_recording(effect)
            case p.ListTools():
                self._keep(self._group.create_task(self._report(self._errands.list(effect))))
            case p.CallTool():
                self._keep(self._group.create_task(self._report(self._errands.call(effect))))
            case p.ApplySettings():
                self._apply(effect.settings)
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
        self.speculation.drop()
        self.ear.close()
        self._errands.close()

    async def _report(self, errand: Awaitable[p.ToolsListed | p.ToolAnswered]) -> None:
        self._post(replace(await errand, at_ms=self._studio.clock_ms()))

    def _start_reply(self, effect: p.StartReply) -> None:
        response_id = effect.response_id
        self.stamps.begun(response_id)
        reply = self.speculation.adopt(effect.request)
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

    def _turn(self, event: TurnEvent) -> None:
        at_ms = self._studio.clock_ms()
        match event:
            case SpeechStarted():
                self.stamps.speech_started((self.ear.position_ms - event.onset_ms) / 1000)
                self._post(p.SpeechStarted(audio_ms=event.at_ms, at_ms=at_ms))
            case SpeechStopped():
                self.stamps.speech_stopped((self.ear.position_ms - event.speech_end_ms) / 1000)
                self._post(p.SpeechStopped(audio_ms=event.at_ms, at_ms=at_ms))
            case TurnSuggested():  # a pause; what the client is told is the verdict of the turn model
                if self._utterance is not None and self.foresee is not None:
                    self.speculation.begin(self._utterance[1], self.foresee)
            case TurnRevoked():
                self.speculation.drop()
                if self._suggested:
                    self._suggested = False
                    self._post(p.SuggestionRevoked(at_ms=at_ms))
            case VerdictWanted():
                self.ear.wait_for_verdict()
                self._keep(self._group.create_task(self._judge(event)))

    def _suggest(self, event: p.TurnSuggested) -> None:
        self._suggested = True
        self._post(event)

    async def _judge(self, wanted: VerdictWanted) -> None:
        """`semantic_vad`: ask whether the turn is complete; a verdict on a pause that is over is none."""
        utterance, ear = self._utterance, self.ear
        audio = ear.between(max(self._utterance_from_ms, wanted.at_ms - LISTENS_MS), wanted.at_ms)
        try:
            found = await verdict(
                self._studio, utterance[1] if utterance else None, audio, confident=self._wishes.confident
            )
        finally:
            ear.go_on()
        if utterance is not self._utterance or ear.asked_ms != wanted.at_ms:
            return
        if found.probability is not None and found.complete:
            self._suggest(
                p.TurnSuggested(
                    probability=round(found.probability, 4),
                    audio_duration_ms=len(audio) / BYTES_PER_MS,
                    inference_ms=found.inference_ms,
                    at_ms=self._studio.clock_ms(),
                )
            )
        ear.judge(complete=found.complete)

    def _heard(self, event: p.PipelineEvent) -> None:
        if isinstance(event, p.TranscriptFinal):
            self.stamps.transcribed(event.text)
        self._post(event)

    def _begin(self, item_id: str, start_ms: float) -> None:
        transcribing = Transcribing(
            self._studio, item_id, self._wishes.of_utterance(self._settings, self._account.session_id), self._heard
        )
        transcribing.feed(self.ear.between(start_ms, self.ear.heard_ms))
        self.ear.listen(transcribing.feed)
        self.ear.hold(holding=True)
        self._utterance, self._utterance_from_ms, self._suggested = (item_id, transcribing), start_ms, False
        self._own(transcribing)

    def _commit(self, effect: p.CommitUtterance) -> None:
        if self._utterance is None or self._utterance[0] != effect.item_id:
            self._drop_hearing()
            transcribing = Transcribing(
                self._studio,
                effect.item_id,
                self._wishes.of_utterance(self._settings, self._account.session_id),
                self._heard,
            )
            transcribing.feed(self.ear.between(effect.audio_start_ms, effect.audio_end_ms))
            self._own(transcribing)
        else:
            transcribing = self._utterance[1]
            self._utterance = None
            self.ear.unlisten(transcribing.feed)
            transcribing.feed(self.ear.between(self.ear.heard_ms, effect.audio_end_ms))
            self.ear.hold(holding=False)
        transcribing.commit()
        if self.recordings.limit_bytes:
            self.recordings.add(effect.item_id, self.ear.between(effect.audio_start_ms, effect.audio_end_ms))
        self.ear.forget_before(effect.audio_end_ms)

    def _drop_hearing(self) -> None:
        if self._utterance is not None:
            transcribing = self._utterance[1]
            self.ear.unlisten(transcribing.feed)
            self.ear.hold(holding=False)
            transcribing.abandon()
            self._utterance = None

    def _drop_utterance(self) -> None:
        self.speculation.drop()
        self._drop_hearing()
        self.ear.restart()

    def _transcribe_recording(self, effect: p.TranscribeItem) -> None:
        transcribing = Transcribing(
            self._studio,
            effect.item_id,
            self._wishes.of_utterance(self._settings, self._account.session_id),
            self._heard,
        )
        heard = self._studio.to_hearing_rate(effect.audio)
        self.recordings.add(effect.item_id, heard)
        transcribing.feed(heard)
        transcribing.commit()
        self._own(transcribing)

    def _own(self, transcribing: Transcribing) -> None:
        transcribing.task = self._group.create_task(transcribing.run())
        self._keep(transcribing.task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(let_go)

    def _apply(self, settings: p.SessionSettings) -> None:
        self._settings = settings
        self._wishes = HearingWishes.of(settings.provider)
        speculates = settings.kind == "realtime" and settings.turn_detection is not None
        suggest = self._studio.suggest_after_ms if speculates else None
        self.ear.tune(settings.input_format, settings.turn_detection, suggest_after_ms=suggest, wishes=self._wishes)
        self.ear.hold(holding=settings.turn_detection is None or self._utterance is not None)
