"""The input side of one session: bytes of the wire to 16 kHz samples, speech detection, and the audio of a turn.

Everything here is a plain call in the event loop: no queue, no task, no executor hop per frame. Positions are
milliseconds of input audio since the session began.
"""

from collections.abc import Callable

from .audio.formats import AudioFormat, Decoder, Encoding, Samples
from .audio.resample import Resampler
from .extensions import HearingWishes
from .protocol import AudioFormat as WireFormat
from .protocol import TurnDetection
from .stages.base import (
    HEARING_RATE,
    SpeechStarted,
    SpeechStopped,
    TurnEvent,
    TurnRevoked,
    TurnSuggested,
    VerdictWanted,
)
from .stages.turns import TurnDetector, TurnSettings
from .stages.vad import VadBatcher, VadStream

BYTES_PER_MS = HEARING_RATE * 2 // 1000
KEPT_QUIET_MS = 1_000  # beyond the prefix padding, while nobody speaks
KEPT_LIMIT_MS = 600_000  # of audio that is not committed; older audio is forgotten
NO_WISHES = HearingWishes()
TellTurn = Callable[[TurnEvent], None]


class Ear:
    """Listens to one client. `tell` is called in the loop for each turn event."""

    def __init__(self, batcher: VadBatcher, tell: TellTurn, *, start_frames: int = 3) -> None:
        self._batcher = batcher
        self._tell = tell
        self._start_frames = start_frames
        self._decoder = Decoder(AudioFormat())
        self._resampler = Resampler(24_000, HEARING_RATE)
        self._bytes_per_sample = 3.0  # of the wire, per sample of 16 kHz
        self._raw: list[bytes] = []  # as it came: too little yet for the detector's next frame
        self._raw_bytes = 0
        self._kept = bytearray()  # 16 kHz s16le
        self._kept_from_ms = 0.0
        self._stream: VadStream | None = None
        self._detector = TurnDetector(TurnSettings())
        self._padding_ms = 300.0
        self._holding = False  # an utterance is open or turns are manual: forget nothing
        self._listeners: list[Callable[[bytes], None]] = []
        self.voiced: Callable[[float, Samples], None] | None = None  # each scored frame, for the voice profile

    @property
    def position_ms(self) -> float:
        """How much audio has come in."""
        self._take_in()
        return self._kept_from_ms + len(self._kept) / BYTES_PER_MS

    @property
    def heard_ms(self) -> float:
        """How far listeners have heard: as far as the detector, which lags when much audio comes at once."""
        return self.position_ms if self._stream is None else self._detector.position_ms

    @property
    def waiting_frames(self) -> int:
        """Audio that the detector has not looked at yet, in frames of 32 ms."""
        return 0 if self._stream is None else self._stream.waiting_frames

    @property
    def speaking(self) -> bool:
        """Whether the user is in the middle of a turn."""
        return self._stream is not None and self._detector.speaking

    def listen(self, listener: Callable[[bytes], None]) -> None:
        """Hand every further piece of 16 kHz audio, from `heard_ms` on, to this listener too."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[bytes], None]) -> None:
        """Stop handing audio to it. May be repeated."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def hear(self, audio: bytes) -> None:
        """More audio in the input format. What makes no frame of the detector's complete is put aside as it is."""
        self._raw.append(audio)
        self._raw_bytes += len(audio)
        if self._stream is not None and self._raw_bytes < (self._stream.lacking - 1) * self._bytes_per_sample:
            return
        self._take_in()

    def _take_in(self) -> None:
        if not self._raw:
            return
        audio = self._raw[0] if len(self._raw) == 1 else b"".join(self._raw)
        self._raw, self._raw_bytes = [], 0
        samples = self._resampler.feed(self._decoder.feed(audio))
        if not len(samples):
            return
        pcm = samples.astype("<i2", copy=False).tobytes()
        self._kept += pcm
        if self._stream is None:
            for listener in self._listeners:
                listener(pcm)
        else:
            self._stream.feed(samples)
            if not self._holding and not self._detector.speaking:
                self._forget_before(self.heard_ms - self._padding_ms - KEPT_QUIET_MS)
        if len(self._kept) > KEPT_LIMIT_MS * BYTES_PER_MS:
            self._forget_before(self.position_ms - KEPT_LIMIT_MS)

    def hold(self, *, holding: bool) -> None:
        """Keep (or stop keeping) audio whatever the detector thinks."""
        self._holding = holding

    def between(self, start_ms: float, end_ms: float | None = None) -> bytes:
        """The kept audio between two positions, 16 kHz s16le."""
        self._take_in()
        first = self._offset(start_ms)
        last = len(self._kept) if end_ms is None else self._offset(end_ms)
        return bytes(self._kept[first:last])

    def forget_before(self, position_ms: float) -> None:
        """This audio is not needed again."""
        self._take_in()
        self._forget_before(position_ms)

    def _offset(self, position_ms: float) -> int:
        offset = round((position_ms - self._kept_from_ms) * HEARING_RATE / 1000) * 2
        return min(max(0, offset), len(self._kept))

    def _forget_before(self, position_ms: float) -> None:
        offset = self._offset(position_ms)
        if offset:
            del self._kept[:offset]
            self._kept_from_ms += offset / BYTES_PER_MS

    def tune(
        self,
        wire: WireFormat,
        turns: TurnDetection | None,
        *,
        suggest_after_ms: int | None,
        wishes: HearingWishes = NO_WISHES,
    ) -> None:
        """Apply the session's input format and turn detection, and what `providerData.stt` says about the latter."""
        self._take_in()
        wanted = AudioFormat(Encoding(wire.kind), wire.rate)
        if wanted != self._decoder.format:
            self._decoder = Decoder(wanted)
            self._resampler = Resampler(wanted.rate, HEARING_RATE)
            self._bytes_per_sample = wanted.bytes_per_ms * 1000 / HEARING_RATE
        if turns is None:
            if self._stream is not None:
                self._stream.close()
                self._stream = None
            return
        self._padding_ms = float(turns.prefix_padding_ms)
        settings = TurnSettings(
            threshold=turns.threshold if wishes.vad_threshold is None else wishes.vad_threshold,
            prefix_padding_ms=turns.prefix_padding_ms,
            silence_ms=turns.silence_duration_ms if wishes.silence_ms is None else wishes.silence_ms,
            start_frames=self._start_frames,
            suggest_after_ms=suggest_after_ms,
            eagerness=turns.eagerness if turns.kind == "semantic_vad" else None,
            base_silence_ms=wishes.silence_ms,
            longest_silence_ms=wishes.longest_silence_ms,
        )
        if self._stream is None:
            self._stream = self._batcher.stream(self._scored)
            self._detector = TurnDetector(settings, start_ms=int(self.position_ms))
        else:
            self._detector.retune(settings)

    def restart(self) -> None:
        """The buffer was cleared: no turn is open any more."""
        self._forget_before(self.position_ms)
        self._decoder.reset()
        if self._stream is not None:
            self._stream.reset()
            self._detector.restart(start_ms=int(self.position_ms))

    @property
    def asked_ms(self) -> int | None:
        """Where the verdict was wanted that nobody has given yet; None: none is, or speech has gone on since."""
        return self._detector.asked_ms

    def judge(self, *, complete: bool) -> None:
        """The verdict."""
        for event in self._detector.judge(complete=complete):
            self._tell(event)

    def _scored(self, probability: float, frame: Samples) -> None:
        if self.voiced is not None:
            self.voiced(probability, frame)
        if self._listeners:
            pcm = frame.astype("<i2", copy=False).tobytes()
            for listener in self._listeners:
                listener(pcm)
        for event in self._detector.push(probability):
            self._tell(event)
        if self._detector.stale and self._stream is not None:
            self._stream.refresh()
            self._detector.refreshed()

    def close(self) -> None:
        """Stop listening. May be repeated."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._listeners.clear()
        self._raw.clear()
        self._kept.clear()
        self._tell = _nobody  # whoever listened holds the ear: let both go at once


def _nobody(_event: TurnEvent) -> None:
    """Nobody wants to know any more."""


__all__ = ["Ear", "SpeechStarted", "SpeechStopped", "TurnRevoked", "TurnSuggested", "VerdictWanted"]
