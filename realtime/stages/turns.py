"""When speech begins and when the turn is over, from one speech probability for each 32 ms frame. Pure.

`server_vad`: three frames in a row at or above the threshold start speech; frames below (threshold - 0.15) count as
silence, any other frame resets the count; the turn ends when the count covers the configured silence, rounded up to
whole frames. `semantic_vad`: at a base silence someone is asked whether the turn is complete; "no" waits for more
speech or for the longest wait. Positions are milliseconds of audio since the start of the stream.
"""

from dataclasses import dataclass

from .base import SpeechStarted, SpeechStopped, TurnEvent, TurnRevoked, TurnSuggested, VerdictWanted

FRAME_SAMPLES = 512  # at 16 kHz
FRAME_MS = 32
AHEAD = 2  # frames: longer than any reads gather
HYSTERESIS = 0.15
RESET_AFTER_MS = 2_000  # quiet time after which the detector's recurrent state is stale

EAGERNESS = {  # base silence and longest wait, ms
    "high": (200, 2_000),
    "medium": (300, 4_000),
    "auto": (300, 4_000),
    "low": (500, 8_000),
}


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How turns are told. With `eagerness` set it is semantic_vad and `silence_ms` does not count."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_ms: int = 500
    start_frames: int = 3  # 2 starts 32 ms earlier, and more often on a click
    suggest_after_ms: int | None = None  # speculation: a pause this long suggests the end of the turn
    eagerness: str | None = None
    base_silence_ms: int | None = None  # of semantic_vad, instead of what the eagerness says
    longest_silence_ms: int | None = None

    @property
    def pauses(self) -> tuple[int, int]:
        """Base silence and longest wait of semantic_vad, ms; the wait is never the shorter one."""
        base, longest = EAGERNESS[self.eagerness or "auto"]
        base = self.base_silence_ms if self.base_silence_ms is not None else base
        return base, max(base, longest if self.longest_silence_ms is None else self.longest_silence_ms)


class TurnDetector:
    """One stream's turns. `start_ms` is where in the stream's audio the first frame begins."""

    __slots__ = (
        "_last_speech_ms",
        "_position_ms",
        "_quiet_ms",
        "_run",
        "_silence_ms",
        "_suggested",
        "asked_ms",
        "settings",
        "speaking",
    )

    def __init__(self, settings: TurnSettings, *, start_ms: int = 0) -> None:
        self.settings = settings
        self.speaking = False
        self._position_ms = start_ms
        self._last_speech_ms = start_ms
        self._run = 0  # frames of a beginning speech
        self._silence_ms = 0  # inside speech: length of the current pause
        self._quiet_ms = 0  # outside speech
        self._suggested = False
        self.asked_ms: int | None = None  # where the verdict was wanted that is still open

    @property
    def position_ms(self) -> int:
        """End of the last frame."""
        return self._position_ms

    @property
    def stale(self) -> bool:
        """Long quiet, no run counting: the recurrent state of the speech model should be reset now."""
        return not self.speaking and self._run == 0 and self._quiet_ms >= RESET_AFTER_MS

    @property
    def near(self) -> bool:
        """Whether the frame after the next may begin or end a turn: from here on none should have to wait."""
        settings = self.settings
        if not self.speaking:
            return self._run + AHEAD >= settings.start_frames
        silence_ms = self._silence_ms + AHEAD * FRAME_MS
        if settings.eagerness is None:
            return silence_ms >= settings.silence_ms
        base, longest = settings.pauses
        return silence_ms >= longest or (self.asked_ms is None and silence_ms >= base)

    def refreshed(self) -> None:
        """The recurrent state was reset."""
        self._quiet_ms = 0

    def retune(self, settings: TurnSettings) -> None:
        """New settings from the next frame on, also inside a turn."""
        self.settings = settings

    def restart(self, *, start_ms: int) -> None:
        """The buffer was cleared or committed: quiet again, counting from `start_ms`."""
        self.__init__(self.settings, start_ms=start_ms)  # type: ignore[misc]  # the same fresh state

    def push(self, probability: float) -> tuple[TurnEvent, ...]:
        """The next frame."""
        self._position_ms += FRAME_MS
        return self._within(probability) if self.speaking else self._outside(probability)

    def _outside(self, probability: float) -> tuple[TurnEvent, ...]:
        if probability < self.settings.threshold:
            self._run = 0
            self._quiet_ms += FRAME_MS
            return ()
        self._run += 1
        if self._run < self.settings.start_frames:
            return ()
        onset = self._position_ms - self._run * FRAME_MS
        self.speaking = True
        self._run = self._quiet_ms = self._silence_ms = 0
        self._suggested, self.asked_ms = False, None
        self._last_speech_ms = self._position_ms
        return (SpeechStarted(max(0, onset - self.settings.prefix_padding_ms), onset),)

    def _within(self, probability: float) -> tuple[TurnEvent, ...]:
        if probability >= self.settings.threshold - HYSTERESIS:
            self._last_speech_ms = self._position_ms
            self._silence_ms = 0
            revoked = self._suggested
            self._suggested, self.asked_ms = False, None
            return (TurnRevoked(self._position_ms),) if revoked else ()
        self._silence_ms += FRAME_MS
        events: list[TurnEvent] = []
        after = self._suggest_after_ms
        if not self._suggested and after is not None and self._silence_ms >= after:
            self._suggested = True
            events.append(TurnSuggested(self._position_ms, self._silence_ms))
        if self.settings.eagerness is None:
            if self._silence_ms >= self.settings.silence_ms:
                events.append(self._stop("silence"))
            return tuple(events)
        base, longest = self.settings.pauses
        if self._silence_ms >= longest:
            events.append(self._stop("max_wait"))
        elif self._silence_ms >= base and self.asked_ms is None:
            self.asked_ms = self._position_ms
            events.append(VerdictWanted(self._position_ms))
        return tuple(events)

    @property
    def _suggest_after_ms(self) -> int | None:
        eagerness = self.settings.eagerness
        if eagerness is None:
            after = self.settings.suggest_after_ms
            return after if after is not None and after < self.settings.silence_ms else None
        base, _ = self.settings.pauses
        return min(base, self.settings.suggest_after_ms or base)

    def judge(self, *, complete: bool) -> tuple[TurnEvent, ...]:
        """The answer to VerdictWanted. "Incomplete" waits for more speech or the longest wait."""
        if not (self.speaking and self.asked_ms is not None and complete):
            return ()
        return (self._stop("complete"),)

    def _stop(self, cause: str) -> SpeechStopped:
        self.speaking = False
        self._silence_ms = self._quiet_ms = self._run = 0
        self._suggested, self.asked_ms = False, None
        return SpeechStopped(self._position_ms, self._last_speech_ms, cause)
