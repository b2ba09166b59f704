"""A client's audio on its way to the ears: kept at the rate of the wire, cut into frames of 512 samples at 16 kHz.

Nothing is converted when it comes in. A frame is made when it is wanted, and the frames of many clients are made
together: one matrix product for all of them. What lies before and after a frame is as far as the resampler looks, so
that frames join without a seam. Every cut falls on a whole step of the rate's ratio: frames begin where they should.
"""

import numpy as np

from .formats import Samples
from .resample import plan, rounded

HEARING_RATE = 16_000  # the ears'
FRAME = 512  # samples at 16 kHz, 32 ms


class Cut:
    """How a rate is cut: `step` samples of the wire make one frame, `reach` more are looked at around them."""

    __slots__ = ("down", "plan", "rate", "reach", "reach_bytes", "step_bytes", "up", "window_bytes")

    def __init__(self, rate: int) -> None:
        """Raises ValueError for a rate of which no whole number of samples makes a frame."""
        if FRAME * rate % HEARING_RATE:
            raise ValueError(f"{rate} Hz is not cut into frames of {FRAME} samples at {HEARING_RATE} Hz")
        self.rate = rate
        self.plan = plan(rate, HEARING_RATE) if rate != HEARING_RATE else None
        self.reach = 2 * self.plan.delay if self.plan else 0
        self.up, self.down = (self.plan.least_up, self.plan.least_down) if self.plan else (1, 1)
        self.reach_bytes = 2 * self.reach
        self.step_bytes = 2 * FRAME * rate // HEARING_RATE
        self.window_bytes = self.step_bytes + self.reach_bytes

    def frames(self, windows: list[bytearray]) -> Samples:
        """One frame of each window, [windows, 512]."""
        samples = np.frombuffer(b"".join(windows), dtype="<i2").reshape(len(windows), -1)
        if self.plan is None:
            return samples
        return rounded(self.plan.convert(samples.astype(np.float32)))

    def whole(self, waiting: bytearray) -> Samples:
        """Everything that can be made of this audio by whole steps of the ratio."""
        if self.plan is None:
            return np.frombuffer(bytes(waiting), dtype="<i2")
        steps = max(0, len(waiting) - self.reach_bytes) // (2 * self.down)
        made = steps * self.up
        if not made:
            return np.zeros(0, dtype=np.int16)
        line = np.frombuffer(bytes(waiting), dtype="<i2").astype(np.float32)
        blocks = -(-made // self.plan.up)
        lacking = blocks * self.plan.down + self.reach - len(line)
        padded = np.pad(line, (0, lacking)) if lacking > 0 else line[: len(line) + lacking]
        return rounded(self.plan.convert(padded[None]))[0, :made]


_CUTS: dict[int, Cut] = {}


def cut_of(rate: int) -> Cut:
    """The shared cut of a rate."""
    cut = _CUTS.get(rate)
    if cut is None:
        cut = _CUTS[rate] = Cut(rate)
    return cut


class Line:
    """One client's audio, s16le at one rate."""

    __slots__ = ("cut", "waiting")

    def __init__(self, rate: int = HEARING_RATE) -> None:
        """See `Cut` for the rates."""
        self.cut = cut_of(rate)
        self.waiting = bytearray(self.cut.reach_bytes // 2)  # silence before the first sample

    @property
    def frames(self) -> int:
        """How many frames are ready."""
        cut, size = self.cut, len(self.waiting)
        return (size - cut.reach_bytes) // cut.step_bytes if size >= cut.window_bytes else 0

    @property
    def samples(self) -> int:
        """How many samples at 16 kHz `peek` would make."""
        cut = self.cut
        return max(0, len(self.waiting) - cut.reach_bytes) // (2 * cut.down) * cut.up

    def take(self) -> bytearray:
        """The window of the next frame, which is over with that."""
        cut = self.cut
        window = self.waiting[: cut.window_bytes]
        del self.waiting[: cut.step_bytes]
        return window

    def peek(self) -> Samples:
        """What waits, as far as it can be converted by now."""
        return self.cut.whole(self.waiting)

    def drain(self) -> Samples:
        """The same, and it waits no longer."""
        made = self.peek()
        del self.waiting[: len(made) // self.cut.up * self.cut.down * 2]
        return made

    def finish(self) -> Samples:
        """All that waits, as if silence followed."""
        self.waiting += bytes(self.cut.reach_bytes // 2)
        return self.drain()
