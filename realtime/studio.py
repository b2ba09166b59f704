"""What all voice sessions of one server share: the router, the ears, the speech targets, settings, clock, metrics."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from policies import Decision, Target, Timeouts, Try
from router.config import Realtime
from router.router import Router
from router.upstreams.base import UpstreamFault
from router.ws_tide import Tide

from .audio.resample import resample
from .mcp.errands import Tls
from .stages.base import HEARING_RATE, Speaker, Transcriber
from .stages.semantic import TurnModel
from .stages.vad import VadBatcher

log = logging.getLogger("realtime.speech")


class SpeechTargets(Protocol):
    """Finds who hears and who speaks for a target."""

    def transcriber(self, target: Target, timeouts: Timeouts) -> Transcriber:
        """The transcriber of a target. Raises UpstreamFault when this provider cannot hear."""
        ...

    def speaker(self, target: Target, timeouts: Timeouts) -> Speaker:
        """The speaker of a target. Raises UpstreamFault when this provider cannot speak."""
        ...

    async def warm(self) -> None:
        """Start what takes long to start. May be repeated. Raises UpstreamFault."""
        ...

    async def aclose(self) -> None:
        """End workers and connections."""
        ...


class TurnObserver(Protocol):
    """Is told the latencies of voice sessions. Stage names are a closed set."""

    def on_stage(self, stage: str, seconds: float) -> None:
        """How long one stage of a turn took."""
        ...

    def on_turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """A turn was answered: of each stage begin and end, in seconds ago; `first_audio` is the whole."""
        ...

    def on_first_audio(self, seconds: float, decision: Decision | None) -> None:
        """A reply begins to sound, so long after the last speech; `decision` routed its words."""
        ...

    def on_reply(self, outcome: str) -> None:
        """A reply of the conversation is over: one of `outcomes.OUTCOMES`."""
        ...

    def on_interruption(self, seconds: float) -> None:
        """Time from the first interrupting speech to the cancelled response."""
        ...

    def on_speculation(self, outcome: str) -> None:
        """A reply on a guess was `begun`, `adopted` or `dropped`."""
        ...

    def on_sessions(self, change: int) -> None:
        """A session began (+1) or ended (-1)."""
        ...


@dataclass(slots=True)
class Studio:
    """Handed to every session."""

    router: Router
    settings: Realtime
    batcher: VadBatcher
    speech: SpeechTargets
    observers: list[TurnObserver] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    suggest_after_ms: int | None = 200  # a pause this long starts speculation; None: never
    start_frames: int = 3
    turn_model: TurnModel | None = None
    tide: Tide | None = None  # of the reads of all sessions
    tls: Tls = field(default_factory=Tls)
    _warmed: bool = False

    @property
    def lead_ms(self) -> float:
        """How far audio may run ahead of what the client can have played."""
        return self.settings.speech.lead_s * 1000

    def clock_ms(self) -> float:
        """Monotonic milliseconds, the clock of every event."""
        return self.clock() * 1000

    def transcriber(self, step: Try) -> Transcriber:
        """Who hears in this attempt."""
        return self.speech.transcriber(step.target, step.timeouts)

    def speaker(self, step: Try) -> Speaker:
        """Who speaks in this attempt."""
        return self.speech.speaker(step.target, step.timeouts)

    async def warm(self) -> None:
        """Somebody connected: start the ears on this machine, if they are what sessions hear with."""
        if self._warmed or not self.settings.transcription.model.startswith("local/"):
            return
        self._warmed = True
        try:
            await self.speech.warm()
        except UpstreamFault as fault:
            log.warning("local ears cannot be started", extra={"fields": {"outcome": fault.outcome.value}})

    def voice(self, name: str, target: Target) -> str:
        """The target's own name of a voice. The table says `provider/voice`; other providers get the name as it is."""
        provider, _, own = self.settings.voices.get(name, name).partition("/")
        if not own:
            return provider
        return own if provider == target.provider else name

    @staticmethod
    def to_hearing_rate(audio: bytes, rate: int = 24_000) -> bytes:
        """Recorded PCM16 as 16 kHz s16le."""
        samples = np.frombuffer(audio[: len(audio) // 2 * 2], dtype="<i2")
        return resample(samples, rate, HEARING_RATE).astype("<i2").tobytes()
