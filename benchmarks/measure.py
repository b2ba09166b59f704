"""What a load test needs to know about a process tree: CPU seconds, resident memory, start-up time."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds spent so far and resident bytes now, over a process and all its descendants."""

    cpu_s: float
    resident_bytes: int


def descendants(pid: int) -> list[int]:
    """The process and its children, recursively."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += descendants(int(child))
    return found


def usage(pid: int) -> Usage:
    """Read from /proc; a process that ended in between counts nothing."""
    cpu_s, resident_bytes = 0.0, 0
    for member in descendants(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        resident_bytes += int(fields[21]) * PAGE_BYTES
    return Usage(cpu_s, resident_bytes)


def percentile(values: Iterable[float], share: float) -> float:
    """Nearest-rank percentile; `share` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def seconds_since(start_s: float) -> float:
    """Monotonic seconds since `start_s`."""
    return time.monotonic() - start_s
