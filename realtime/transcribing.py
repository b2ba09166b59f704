"""One utterance on its way to words: heard while it is spoken, by a routed transcriber, replayed to the backup.

The utterance keeps its own audio until it has its words. An attempt opens a hearing, is fed everything so far and then
each further piece as it comes in; when the target fails, the next one gets the same audio from the beginning.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from policies import Decision, Facts, Outcome, RoutingOptions, Try
from router.refusal import Refusal
from router.router import Caller
from router.upstreams.base import UpstreamFault

from .ear import BYTES_PER_MS
from .protocol import PipelineEvent, TranscriptDelta, TranscriptFailed, TranscriptFinal, TranscriptionUsage
from .records import attempts_of
from .stages.base import Hearing, Transcript, Utterance, VoiceProfile
from .stages.voice_profile import voice_profile
from .studio import Studio

Tell = Callable[[PipelineEvent], None]
EARS = Caller(protocol="realtime")
QUICKLY_MEASURED_MS = 10_000
LONGEST_BYTES = 600_000 * BYTES_PER_MS  # ten minutes: what is said beyond is not heard


class Transcribing:
    """The transcript of one user item. `feed` while it is spoken, `commit` when it is over, `run` does the work."""

    def __init__(self, studio: Studio, item_id: str, wishes: Mapping[str, Any], tell: Tell) -> None:
        self._studio = studio
        self._item_id = item_id
        self._wishes = wishes
        self._tell = tell
        self._audio = bytearray()
        self._hearing: Hearing | None = None
        self._fault: UpstreamFault | None = None
        self._changed = asyncio.Event()
        self._told = ""
        self._profile: tuple[str, VoiceProfile] | None = None
        self.committed = False
        self.task: asyncio.Task[None] | None = None

    def abandon(self) -> None:
        """Nobody wants these words any more. May be repeated."""
        if self.task is not None:
            self.task.cancel()

    def feed(self, pcm: bytes) -> None:
        """More of the utterance, 16 kHz s16le. Never blocks."""
        if not pcm or self.committed or len(self._audio) > LONGEST_BYTES:
            return
        self._audio += pcm
        self._pass_on(pcm)

    def _pass_on(self, pcm: bytes) -> None:
        if self._hearing is None or self._fault is not None:
            return
        try:
            self._hearing.feed(pcm)
        except UpstreamFault as fault:
            self._fault = fault
            self._changed.set()

    def commit(self) -> None:
        """The utterance is over."""
        self.committed = True
        self._changed.set()

    async def peek(self) -> Transcript | None:
        """The words if it ended here; None when nobody can tell yet."""
        if self._hearing is None or self._fault is not None:
            return None
        try:
            return await self._hearing.peek()
        except UpstreamFault:
            return None

    async def profile(self, transcript: Transcript) -> VoiceProfile:
        """How the voice sounds. Asked for early, at a pause, the answer is there when the turn is over.

        Nothing is known of it when the client does not want it measured.
        """
        if not self._wishes.get("voice_profile", True):
            return VoiceProfile()
        if self._profile is None or self._profile[0] != transcript.text:
            samples = np.frombuffer(bytes(self._audio), dtype="<i2")
            if self.duration_ms < QUICKLY_MEASURED_MS:  # sooner than a thread wakes up
                profile = voice_profile(samples, transcript)
            else:
                profile = await asyncio.to_thread(voice_profile, samples, transcript)
            self._profile = transcript.text, profile
        return self._profile[1]

    @property
    def duration_ms(self) -> float:
        """How much audio the utterance has."""
        return len(self._audio) / BYTES_PER_MS

    async def run(self) -> None:
        """Walk the plan; tell the words or the failure. The audio is given back at once, whoever still holds this."""
        try:
            await self._run()
        finally:
            self._audio.clear()

    async def _run(self) -> None:
        studio = self._studio
        facts = Facts(
            model=self._wishes.get("model") or studio.settings.transcription.model,
            protocol="realtime",
            metadata=self._wishes.get("facts") or {},
            user=self._wishes.get("user"),
            options=RoutingOptions(models=tuple(studio.settings.transcription.fallbacks)),
            kind="transcription",
        )
        try:
            walk = studio.router.walk(facts, kind="stt", caller=EARS)
            walk.decision = unhurried(walk.decision)
            transcript = await walk.run(self._attempt)
        except Refusal as refusal:
            await self._over()  # one report is owed for each commit: before it there is no item that could fail
            self._tell(
                TranscriptFailed(
                    item_id=self._item_id,
                    code=refusal.code or "transcription_failed",
                    message=refusal.message,
                    attempts=attempts_of(refusal.record),
                    at_ms=studio.clock_ms(),
                )
            )
            return
        profile = await self.profile(transcript)
        self._tell(
            TranscriptFinal(
                item_id=self._item_id,
                text=transcript.text,
                voice_profile=profile.facts() or None,
                usage=transcript.usage or TranscriptionUsage(seconds=self.duration_ms / 1000),
                logprobs=transcript.logprobs if self._wishes.get("logprobs") else None,
                attempts=attempts_of(walk.record),
                at_ms=studio.clock_ms(),
            )
        )

    async def _attempt(self, step: Try) -> Transcript:
        transcriber = self._studio.transcriber(step)
        wishes = Utterance(
            language=self._wishes.get("language"),
            prompt=self._wishes.get("prompt"),
            keyterms=tuple(self._wishes.get("keywords") or ()),
            on_partial=self._partial,
            logprobs=bool(self._wishes.get("logprobs")),
            extras=self._wishes.get("extras") or {},
        )
        try:
            async with asyncio.timeout(step.timeouts.connect_s):
                hearing = await transcriber.open(wishes)
        except TimeoutError:
            raise UpstreamFault(Outcome.CONNECT_TIMEOUT, f"{step.target.name} did not start listening") from None
        self._fault, self._hearing = None, hearing
        try:
            hearing.feed(bytes(self._audio))
            while not self.committed and self._fault is None:
                self._changed.clear()
                await self._changed.wait()
            if self._fault is not None:
                raise self._fault
            async with asyncio.timeout(step.timeouts.first_token_s):
                return await hearing.finish()
        except TimeoutError:
            raise UpstreamFault(Outcome.FIRST_TOKEN_TIMEOUT, f"{step.target.name} did not give its words") from None
        finally:
            self._hearing = None
            hearing.close()

    async def _over(self) -> None:
        while not self.committed:
            self._changed.clear()
            await self._changed.wait()

    def _partial(self, text: str) -> None:
        """Partials are cumulative; the client gets additions only."""
        if text.startswith(self._told) and len(text) > len(self._told):
            added = text[len(self._told) :]
            self._told = text
            self._tell(TranscriptDelta(item_id=self._item_id, text=added, at_ms=self._studio.clock_ms()))


def unhurried(decision: Decision) -> Decision:
    """The same decision, where listening to a long utterance does not count as waiting for an answer."""
    plan = decision.plan
    limits = replace(plan.limits, timeouts=replace(plan.limits.timeouts, total_s=plan.limits.timeouts.total_s + 3600))
    return replace(decision, plan=replace(plan, limits=limits))
