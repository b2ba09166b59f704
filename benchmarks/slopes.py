"""Does a series grow? Its slope with a 95 % interval that allows for neighbours being alike, and for the load.

Samples of a busy server depend on each other: what a second sees, the next one mostly sees again. So the series is cut
into twelve blocks of equal time, and each stands for its median. What follows the load is not growth: each sample says
how much was under way, and the slope is that of time beside it, with Student's interval of nine degrees of freedom. A
series is `flat` when the whole interval lies below what is tolerated, `grows` when the whole of it lies above, and
otherwise `undecided`: then the run was too short to tell.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

BLOCKS = 12
STUDENT = 2.262  # 97.5 % quantile with BLOCKS - 3 degrees of freedom
WARM = 0.25  # the first part of a run is for warming up

Point = tuple[float, float, float]  # seconds, value, load
Points = Sequence[Point]


@dataclass(frozen=True, slots=True)
class Slope:
    """Units a minute: the estimate, its 95 % interval, and what is tolerated."""

    a_minute: float
    low: float
    high: float
    tolerated: float

    @property
    def verdict(self) -> str:
        """flat, grows or undecided."""
        if self.high <= self.tolerated:
            return "flat"
        return "grows" if self.low > self.tolerated else "undecided"

    def as_json(self) -> dict[str, Any]:
        """Rounded, with the verdict."""
        return {**{name: round(value, 4) for name, value in asdict(self).items()}, "verdict": self.verdict}


def blocks(points: Points) -> list[Point]:
    """The medians of twelve blocks of equal time; a block without a sample is left out."""
    first, last = points[0][0], points[-1][0]
    width = (last - first) / BLOCKS or 1.0
    kept: list[list[Point]] = [[] for _ in range(BLOCKS)]
    for point in points:
        kept[min(BLOCKS - 1, int((point[0] - first) / width))].append(point)
    return [tuple(map(median, zip(*block, strict=True))) for block in kept if block]


def slope(points: Points, tolerated: float) -> Slope:
    """The slope per minute of the blocks' medians, the load being equal."""
    medians = blocks(points)
    n = len(medians)
    times, values, loads = ([point[place] for point in medians] for place in range(3))
    times, values = _beside(times, loads), _beside(values, loads)
    spread = sum(x * x for x in times)
    if n < 4 or spread < 1e-9:
        return Slope(0.0, float("-inf"), float("inf"), tolerated)
    rise = sum(x * y for x, y in zip(times, values, strict=True)) / spread
    left = sum((y - rise * x) ** 2 for x, y in zip(times, values, strict=True))
    error = STUDENT * (left / (n - 3) / spread) ** 0.5
    return Slope(rise * 60, (rise - error) * 60, (rise + error) * 60, tolerated)


def _beside(values: Sequence[float], loads: Sequence[float]) -> list[float]:
    """What is left of the values when what follows the load is taken away (Frisch and Waugh, 1933)."""
    mean, load = sum(values) / len(values), sum(loads) / len(loads)
    spread = sum((x - load) ** 2 for x in loads)
    follows = sum((x - load) * (y - mean) for x, y in zip(loads, values, strict=True)) / spread if spread else 0.0
    return [y - mean - follows * (x - load) for x, y in zip(loads, values, strict=True)]


def plot(panels: Sequence[tuple[str, Points, Slope]], path: Path) -> None:
    """Each series with its blocks and its slope; what lies before the slope was warming up."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(panels), 1, figsize=(9, 2.3 * len(panels)), layout="constrained", sharex=True)
    for axis, (title, points, found) in zip(axes, panels, strict=True):
        medians = blocks(warm(points))
        axis.plot([x / 60 for x, *_ in points], [y for _, y, _ in points], color="#a0aec0", linewidth=0.8)
        axis.plot([x / 60 for x, *_ in medians], [y for _, y, _ in medians], "o-", color="#2b6cb0", markersize=4)
        axis.set_ylim(bottom=0)
        told = f"{found.a_minute:+.2f} a minute, 95 % from {found.low:+.2f} to {found.high:+.2f}: {found.verdict}"
        axis.set_title(f"{title}: {told}", fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def warm(points: Points) -> Points:
    """What was sampled after warming up."""
    return [point for point in points if point[0] >= points[-1][0] * WARM]
