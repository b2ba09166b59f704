"""Streaming sample rate conversion by a polyphase filter: nothing is held back but the filter's group delay.

A Kaiser-windowed sinc is cut into phases. For each chunk the outputs that its samples allow are computed at once, as
one product of a strided window view with the matrix of phases, so that output follows input within the group delay:
`taps` / 2 input samples of the lower rate, 1.5 ms at 16 kHz and above and 3 ms where 8 kHz is involved.
Design: J. O. Smith, Digital Audio Resampling; Kaiser's window with beta 8 gives about 80 dB of stop band.
"""

from functools import cache
from math import gcd

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Samples = npt.NDArray[np.int16]

TAPS = 24  # one-sided length of the prototype in samples of the lower rate
BETA = 8.0
ROW = 16  # outputs to make at once, about: few long rows cost less than many short ones


class Plan:
    """The filter of one ratio, shared by all streams of it.

    A block of `up` outputs starts every `down` inputs; column k of `matrix` makes output k of it from the window. It
    is some of the ratio's least blocks, `least_up` outputs for `least_down` inputs.
    """

    __slots__ = ("delay", "down", "least_down", "least_up", "matrix", "up", "window")

    def __init__(self, source: int, target: int) -> None:
        divisor = gcd(source, target)
        up, down = target // divisor, source // divisor
        periods = max(1, ROW // up)
        self.least_up, self.least_down = up, down
        self.up, self.down = up * periods, down * periods
        larger = max(up, down)
        half = TAPS * larger  # in samples of the common rate, source * up
        grid = np.arange(-half, half + 1, dtype=np.float64)
        prototype = np.sinc(grid / larger) * np.kaiser(2 * half + 1, BETA)
        prototype *= up / prototype.sum()
        self.delay = -(-half // up)  # input samples that must follow an output's own position
        span = 2 * self.delay + 1
        self.window = span + self.down - 1
        matrix = np.zeros((self.up, self.window))
        for k in range(self.up):
            position = k * down  # of output k on the common grid, input 0 of the block at 0
            for tap in range(self.window):
                distance = position - (tap - self.delay) * up
                if -half <= distance <= half:
                    matrix[k, tap] = prototype[distance + half]
        self.matrix = np.ascontiguousarray(matrix.T.astype(np.float32))

    def convert(self, lines: Floats) -> Floats:
        """Lines of equal length, [lines, whole blocks of inputs and twice the delay], to [lines, outputs]."""
        count, size = lines.shape
        blocks = (size - self.window) // self.down + 1
        row, item = lines.strides
        shape, strides = (count, blocks, self.window), (row, self.down * item, item)
        views: Floats = np.ndarray(shape, np.float32, lines, 0, strides)
        # Overlapping rows would keep the product from BLAS; the copy is far cheaper than that.
        return (views.reshape(count * blocks, self.window) @ self.matrix).reshape(count, blocks * self.up)


@cache
def plan(source: int, target: int) -> Plan:
    """The shared filter of a ratio."""
    return Plan(source, target)


class Resampler:
    """One stream. Output 0 is aligned with input 0: positions map by the ratio alone, there is no offset to count."""

    __slots__ = ("_history", "_plan", "_skipped", "source", "target")

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self._plan = plan(source, target) if source != target else None
        self._history: Floats = np.zeros(0, dtype=np.float32)
        self._skipped = 0
        self.reset()

    @property
    def delay_ms(self) -> float:
        """How much of the input waits for what follows it."""
        return self._plan.delay / self.source * 1000 if self._plan else 0.0

    def reset(self) -> None:
        """Start a new stream."""
        lead = self._plan.delay if self._plan else 0
        self._history = np.zeros(lead, dtype=np.float32)
        self._skipped = 0  # outputs of the current block already given out

    def feed(self, samples: Samples) -> Samples:
        """All output that these samples allow."""
        if self._plan is None:
            return samples
        return rounded(self._convert(samples))

    def flush(self) -> Samples:
        """The last outputs, as if silence followed; the stream starts anew."""
        if self._plan is None:
            return np.zeros(0, dtype=np.int16)
        rest = rounded(self._convert(np.zeros(self._plan.delay, dtype=np.float32)))
        self.reset()
        return rest

    def _convert(self, samples: Samples | Floats) -> Floats:
        shape = self._plan
        assert shape is not None  # noqa: S101  callers have looked
        before, have = len(self._history), len(self._history) + len(samples)
        # Output k of a block needs inputs up to floor(k * down / up) + 2 * delay of the block's window.
        usable = have - 2 * shape.delay
        produced = max(0, -(-usable * shape.up // shape.down))  # outputs whose own position lies before `usable`
        blocks = -(-produced // shape.up)
        padded = np.empty(max(have, (blocks - 1) * shape.down + shape.window), dtype=np.float32)
        padded[:before] = self._history
        padded[before:have] = samples
        padded[have:] = 0
        line = padded[:have]
        if not blocks:
            self._history = line
            return np.zeros(0, dtype=np.float32)
        made = shape.convert(padded[None])[0, self._skipped : produced]
        whole = produced // shape.up
        self._history = line[whole * shape.down :]
        self._skipped = produced - whole * shape.up
        return made


def rounded(floats: Floats) -> Samples:
    """As s16, clipped at full scale. In place as far as it can be."""
    np.rint(floats, out=floats)
    np.maximum(floats, -32768, out=floats)
    np.minimum(floats, 32767, out=floats)
    return floats.astype(np.int16)


def resample(samples: Samples, source: int, target: int) -> Samples:
    """A whole clip at once; the output has `len * target / source` samples, rounded up."""
    if source == target:
        return samples
    stream = Resampler(source, target)
    return np.concatenate((stream.feed(samples), stream.flush()))
