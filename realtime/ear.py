"""The input side of one session: bytes of the wire to 16 kHz samples, speech detection, and the audio of a turn.

Everything here is a plain call in the event loop: no queue, no task, no executor hop per frame. What comes in waits in
a line as it is; the detector makes its frames of it, those of all sessions together, and gives them back to be kept.
Without a detector it is converted at once. Positions are milliseconds of input audio since the session began.
"""

from collections.abc import Callable

import numpy as np

from .audio.formats import AudioFormat, Decoder, Encoding, Samples
from .audio.line import FRAME, Line
from .audio.resample import Resampler, resample
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
KEPT_LIMIT_BYTES = 600_000 * BYTES_PER_MS  # of audio that is not committed; older audio is forgotten
TRIM_BYTES = 16 * FRAME  # so much is forgotten at once, a quarter of a second
AHEAD_FRAMES = 4  # not looked at yet: audio comes faster than it sounds
NO_WISHES = HearingWishes()
TellTurn = Callable[[TurnEvent], None]


class Ear:
    """Listens to one client. `tell` is called in the loop for each turn event."""

    def __init__(self, batcher: VadBatcher, tell: TellTurn, *, start_frames: int = 3) -> None:
        self._batcher = batcher
        self._tell = tell
        self._start_frames = start_frames
        self._decoder = Decoder(AudioFormat())
        self._ahead: Resampler | None = None  # of a rate that the line does not know
        self._line = Line(24_000)
        self._kept = bytearray()  # 16 kHz s16le
        self._kept_from_ms = 0.0
        self._stream: VadStream | None = None
        self._detector = TurnDetector(TurnSettings())
        self._quiet_bytes = (300 + KEPT_QUIET_MS) * BYTES_PER_MS
        self._holding = False  # an utterance is open or turns are manual: forget nothing
        self._listeners: list[Callable[[bytes], None]] = []
        self._near = False
        self.hurry: Callable[[bool], None] | None = None  # whether what comes next is waited for

    @property
    def position_ms(self) -> float:
        """How much audio has come in."""
        return self.heard_ms + self._line.samples * 1000 / HEARING_RATE

    @property
    def heard_ms(self) -> float:
        """How far listeners have heard: as far as the detector, which lags when much audio comes at once."""
        return self._kept_from_ms + len(self._kept) / BYTES_PER_MS

    @property
    def waiting_frames(self) -> int:
        """Audio that the detector has not looked at yet, in frames of 32 ms."""
        return 0 if self._stream is None else self._line.frames

    @property
    def detects(self) -> bool:
        """Whether somebody looks for speech."""
        return self._stream is not None

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
        """More audio in the input format."""
        pcm = self._decoder.pcm(audio)
        if self._ahead is not None:
            pcm = _bytes(self._ahead.feed(np.frombuffer(pcm, dtype="<i2")))
        if self._stream is not None:
            self._stream.feed(pcm)
            return
        self._line.waiting += pcm
        self._take_in()

    def _take_in(self) -> None:
        """Without a detector: to the listeners with it."""
        pcm = _bytes(self._line.drain())
        if pcm:
            self._keep(pcm)

    def _keep(self, pcm: bytes) -> None:
        kept = self._kept
        kept += pcm
        for listener in self._listeners:
            listener(pcm)
        if len(kept) > KEPT_LIMIT_BYTES:
            self._forget(len(kept) - KEPT_LIMIT_BYTES)

    def hold(self, *, holding: bool) -> None:
        """Keep (or stop keeping) audio whatever the detector thinks."""
        self._holding = holding

    def between(self, start_ms: float, end_ms: float | None = None) -> bytes:
        """The audio between two positions, 16 kHz s16le, as far as it is still kept."""
        first, kept = self._offset(start_ms), len(self._kept)
        last = None if end_ms is None else self._offset(end_ms)
        audio = bytes(self._kept[first:last])
        if last is None or last > kept:  # also what the detector has not looked at
            audio += _bytes(self._line.peek())[max(0, first - kept) : None if last is None else last - kept]
        return audio

    def forget_before(self, position_ms: float) -> None:
        """This audio is not needed again."""
        self._forget(min(self._offset(position_ms), len(self._kept)))

    def _offset(self, position_ms: float) -> int:
        return max(0, round((position_ms - self._kept_from_ms) * HEARING_RATE / 1000) * 2)

    def _forget(self, size_bytes: int) -> None:
        del self._kept[:size_bytes]
        self._kept_from_ms += size_bytes / BYTES_PER_MS

    def tune(
        self,
        wire: WireFormat,
        turns: TurnDetection | None,
        *,
        suggest_after_ms: int | None,
        wishes: HearingWishes = NO_WISHES,
    ) -> None:
        """Apply the session's input format and turn detection, and what `providerData.stt` says about the latter."""
        wanted = AudioFormat(Encoding(wire.kind), wire.rate)
        if wanted != self._decoder.format:
            self._change_format(wanted)
        if turns is None:
            if self._stream is not None:
                self._stream.close()
                self._stream = None
                self._take_in()
            return
        self._quiet_bytes = (turns.prefix_padding_ms + KEPT_QUIET_MS) * BYTES_PER_MS
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
            self._stream = self._batcher.stream(self._scored, self._line)
            self._detector = TurnDetector(settings, start_ms=int(self.heard_ms))
        else:
            self._detector.retune(settings)

    def _change_format(self, wanted: AudioFormat) -> None:
        """What still waits goes on in the new line, at its rate."""
        whole = FRAME * wanted.rate % HEARING_RATE == 0
        if self._ahead is not None:
            self._line.waiting += _bytes(self._ahead.flush())
        waiting = self._line.finish()
        self._decoder = Decoder(wanted)
        self._ahead = None if whole else Resampler(wanted.rate, HEARING_RATE)
        self._line = Line(wanted.rate if whole else HEARING_RATE)
        self._line.waiting += _bytes(resample(waiting, HEARING_RATE, self._line.cut.rate))
        if self._stream is not None:
            self._stream.line = self._line

    def restart(self) -> None:
        """The buffer was cleared: no turn is open any more."""
        self._kept_from_ms = self.position_ms
        self._kept.clear()
        self._line.drain()
        self._decoder.reset()
        if self._stream is not None:
            self._stream.refresh()
            self._detector.restart(start_ms=int(self._kept_from_ms))

    @property
    def asked_ms(self) -> int | None:
        """Where the verdict was wanted that nobody has given yet; None: none is, or speech has gone on since."""
        return self._detector.asked_ms

    def wait_for_verdict(self) -> None:
        """Hear no further while a verdict is thought of, if much has come in already: a file, not a voice."""
        if self._stream is not None and self._line.frames >= AHEAD_FRAMES:
            self._stream.pause()

    @property
    def waits(self) -> bool:
        """Whether audio is there that is not looked at before a verdict."""
        return self._stream is not None and self._line.frames > self._stream.waiting_frames

    def go_on(self) -> None:
        """Hear on. May be repeated."""
        if self._stream is not None:
            self._stream.resume()

    def judge(self, *, complete: bool) -> None:
        """The verdict."""
        for event in self._detector.judge(complete=complete):
            self._tell(event)

    def _scored(self, probability: float, frame: bytes) -> None:
        self._keep(frame)
        detector = self._detector
        for event in detector.push(probability):
            self._tell(event)
        if detector.near is not self._near and self.hurry is not None:
            self._near = not self._near
            self.hurry(self._near)
        if detector.speaking:
            return
        if detector.stale and self._stream is not None:
            self._stream.refresh()
            detector.refreshed()
        if not self._holding and len(self._kept) > self._quiet_bytes + TRIM_BYTES:
            self._forget(len(self._kept) - self._quiet_bytes)

    def close(self) -> None:
        """Stop listening. May be repeated."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._listeners.clear()
        self._kept.clear()
        self._tell, self.hurry = _nobody, None  # whoever listened holds the ear: let both go at once


def _bytes(samples: Samples) -> bytes:
    return samples.astype("<i2", copy=False).tobytes()


def _nobody(_event: TurnEvent) -> None:
    """Nobody wants to know any more."""


__all__ = ["Ear", "SpeechStarted", "SpeechStopped", "TurnRevoked", "TurnSuggested", "VerdictWanted"]
