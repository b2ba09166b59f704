"""The user's side of one session: the ear, the utterance being heard, its words, and whether a pause ends it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from . import protocol as p
from .account import Account
from .ear import BYTES_PER_MS, Ear, SpeechStarted, SpeechStopped, TurnRevoked, TurnSuggested, VerdictWanted
from .extensions import HearingWishes
from .judging import LISTENS_MS, verdict
from .latency import TurnStamps
from .recordings import Recordings
from .speculation import Speculation
from .stages.base import TurnEvent
from .studio import Studio
from .transcribing import Transcribing

Post = Callable[[p.Event], None]
Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]  # a task of the session


class Utterances:
    """One per session. `open`, `commit` and `drop` are the machine's word; what is found goes to it by `post`."""

    def __init__(
        self,
        studio: Studio,
        account: Account,
        post: Post,
        spawn: Spawn,
        *,
        stamps: TurnStamps,
        speculation: Speculation,
        recordings: Recordings,
    ) -> None:
        self._studio = studio
        self._session_id = account.session_id
        self._post = post
        self._spawn = spawn
        self._stamps = stamps
        self._speculation = speculation
        self._recordings = recordings
        self._settings = p.SessionSettings()
        self._wishes = HearingWishes()
        self.ear = Ear(studio.batcher, self._turn, start_frames=studio.start_frames)
        self._open: tuple[str, Transcribing] | None = None
        self._open_from_ms = 0.0
        self._suggested = False  # the end of this turn, to the client, and not revoked

    def apply(self, settings: p.SessionSettings) -> None:
        """Hear as these settings say."""
        self._settings = settings
        self._wishes = HearingWishes.of(settings.provider)
        speculates = settings.kind == "realtime" and settings.turn_detection is not None
        suggest = self._studio.suggest_after_ms if speculates else None
        self.ear.tune(settings.input_format, settings.turn_detection, suggest_after_ms=suggest, wishes=self._wishes)
        self.ear.hold(holding=settings.turn_detection is None or self._open is not None)

    def _turn(self, event: TurnEvent) -> None:
        at_ms = self._studio.clock_ms()
        match event:
            case SpeechStarted():
                self._stamps.speech_started((self.ear.position_ms - event.onset_ms) / 1000)
                self._post(p.SpeechStarted(audio_ms=event.at_ms, at_ms=at_ms))
            case SpeechStopped():
                self._stamps.speech_stopped((self.ear.position_ms - event.speech_end_ms) / 1000)
                self._post(p.SpeechStopped(audio_ms=event.at_ms, at_ms=at_ms))
            case TurnSuggested():  # a pause; what the client is told is the verdict of the turn model
                if self._open is not None:
                    self._speculation.begin(self._open[1])
            case TurnRevoked():
                self._speculation.drop()
                if self._suggested:
                    self._suggested = False
                    self._post(p.SuggestionRevoked(at_ms=at_ms))
            case VerdictWanted():
                self.ear.wait_for_verdict()
                self._spawn(self._judge(event))

    async def _judge(self, wanted: VerdictWanted) -> None:
        """`semantic_vad`: ask whether the turn is complete; a verdict on a pause that is over is none."""
        utterance, ear = self._open, self.ear
        audio = ear.between(max(self._open_from_ms, wanted.at_ms - LISTENS_MS), wanted.at_ms)
        try:
            found = await verdict(
                self._studio, utterance[1] if utterance else None, audio, confident=self._wishes.confident
            )
        finally:
            ear.go_on()
        if utterance is not self._open or ear.asked_ms != wanted.at_ms:
            return
        if found.probability is not None and found.complete:
            self._suggested = True
            self._post(
                p.TurnSuggested(
                    probability=round(found.probability, 4),
                    audio_duration_ms=len(audio) / BYTES_PER_MS,
                    inference_ms=found.inference_ms,
                    at_ms=self._studio.clock_ms(),
                )
            )
        ear.judge(complete=found.complete)

    def open(self, item_id: str, start_ms: float) -> None:
        """The user speaks: the words are sought while the audio comes in."""
        transcribing = self._transcribing(item_id, self.ear.between(start_ms, self.ear.heard_ms))
        self.ear.listen(transcribing.feed)
        self.ear.hold(holding=True)
        self._open, self._open_from_ms, self._suggested = (item_id, transcribing), start_ms, False

    def commit(self, effect: p.CommitUtterance) -> None:
        """The utterance is over, or a piece of audio is one that nobody had opened."""
        ear, (start_ms, end_ms) = self.ear, (effect.audio_start_ms, effect.audio_end_ms)
        if self._open is None or self._open[0] != effect.item_id:
            self._drop_open()
            transcribing = self._transcribing(effect.item_id, ear.between(start_ms, end_ms))
        else:
            transcribing = self._open[1]
            self._open = None
            ear.unlisten(transcribing.feed)
            transcribing.feed(ear.between(ear.heard_ms, end_ms))
            ear.hold(holding=False)
        transcribing.commit()
        if self._recordings.limit_bytes:
            self._recordings.add(effect.item_id, ear.between(start_ms, end_ms))
        ear.forget_before(end_ms)

    def drop(self) -> None:
        """What was heard is none of an utterance."""
        self._speculation.drop()
        self._drop_open()
        self.ear.restart()

    def _drop_open(self) -> None:
        if self._open is not None:
            transcribing = self._open[1]
            self.ear.unlisten(transcribing.feed)
            self.ear.hold(holding=False)
            transcribing.abandon()
            self._open = None

    def transcribe(self, effect: p.TranscribeItem) -> None:
        """Find the words of a recording that the client has sent."""
        heard = self._studio.to_hearing_rate(effect.audio)
        self._recordings.add(effect.item_id, heard)
        self._transcribing(effect.item_id, heard).commit()

    def _transcribing(self, item_id: str, heard: bytes) -> Transcribing:
        wishes = self._wishes.of_utterance(self._settings, self._session_id)
        transcribing = Transcribing(self._studio, item_id, wishes, self._found)
        transcribing.feed(heard)
        transcribing.task = self._spawn(transcribing.run())
        return transcribing

    def _found(self, event: p.PipelineEvent) -> None:
        if isinstance(event, p.TranscriptFinal):
            self._stamps.transcribed(event.text)
        self._post(event)
