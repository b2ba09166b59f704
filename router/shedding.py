"""Load shedding: when the event loop is late or memory is nearly full, new chat requests are refused, briefly.

A loop that is late with hardly anything to do has been held up from outside; refusing would not make it quicker.

A refused request costs nothing and may be repeated; an accepted one that dies of memory takes all others with it.
Health checks and voice sessions are never refused here: they are what is left when everything else is shed.
"""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

LATE_S = 0.5  # a loop that is so late in two samples of the last four is overloaded; one such sample alone is a hiccup
VERY_LATE_S = 1.5  # one such sample is enough
SAMPLES = 4
MANY = 16  # requests under way, less of which make no loop late
FULL = 0.92  # of the memory this process may use
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_GROUPS = Path("/proc/self/cgroup")
_ROOTS = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))


class Shedding:
    """`observe` every lag sample; `why` says whether to refuse now, and for what reason."""

    def __init__(self, memory_limit_bytes: int, *, resident: Callable[[], int] | None = None) -> None:
        self._limit_bytes = memory_limit_bytes
        self._resident = resident or resident_bytes
        self._lags: deque[float] = deque(maxlen=SAMPLES)
        self._why: str | None = None

    def observe(self, lag_s: float, *, running: float = MANY) -> None:
        """A sample of the event loop's lag, with the requests under way; memory is looked at with it."""
        self._lags.append(lag_s if running >= MANY else 0.0)
        late = sum(lag > LATE_S for lag in self._lags)
        if late >= 2 or self._lags[-1] > VERY_LATE_S:
            self._why = "the event loop is late"
        elif self._limit_bytes and self._resident() > FULL * self._limit_bytes:
            self._why = "memory is nearly full"
        else:
            self._why = None

    @property
    def why(self) -> str | None:
        """The reason to refuse new requests now, or None."""
        return self._why


def resident_bytes(statm: Path = Path("/proc/self/statm")) -> int:
    """Resident memory of this process; 0 where /proc is not there."""
    try:
        return int(statm.read_text(encoding="ascii").split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def memory_limit_bytes(groups: Path = _GROUPS, roots: tuple[tuple[str, str], ...] = _ROOTS) -> int:
    """The tightest limit of the control groups this process is in, or the machine's memory; 0 when neither is known."""
    limits = [os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES]
    for folder in _own_groups(groups):
        for root, name in roots:
            try:
                limits.append(int((Path(root) / folder / name).read_text(encoding="ascii")))
            except (OSError, ValueError):
                continue  # not there, or `max`
    return min(limits)


def _own_groups(groups: Path) -> set[str]:
    """This process's control groups and all above them, relative to the root, which is the whole of a container."""
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {"."}
    found = {"."}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            own = Path(path.lstrip("/"))
            found |= {str(folder) for folder in (own, *own.parents)}
    return found
