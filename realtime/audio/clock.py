"""The audio clock: positions are counted in samples, never read from a wall clock.

A client may send faster or slower than real time, or pause; every `audio_*_ms` on the wire comes from here.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class SampleClock:
    """Counts samples at one rate. A change of format in mid-stream keeps the milliseconds already counted."""

    rate: int
    samples: int = 0
    base_ms: float = 0.0  # what passed at earlier rates

    def advance(self, samples: int) -> None:
        """So many more samples have gone by."""
        self.samples += samples

    def retune(self, rate: int) -> None:
        """Count at another rate from here on."""
        self.base_ms = self.exact_ms
        self.samples = 0
        self.rate = rate

    @property
    def exact_ms(self) -> float:
        """Milliseconds since the start."""
        return self.base_ms + self.samples * 1000 / self.rate

    @property
    def ms(self) -> int:
        """The same in whole milliseconds, rounded down, as the wire has it."""
        return int(self.exact_ms)


def samples_of(ms: float, rate: int) -> int:
    """How many samples make up so many milliseconds, to the nearest one."""
    return round(ms * rate / 1000)
