"""Load shedding: while the event loop is late, a share of new calls is refused; while memory is full, all of them.

The share grows while the loop is later than `TARGET_S` and falls while it is not, both in proportion (after PIE,
RFC 8033): what is refused is what is too much. Callers that wait for their answers before they ask again, whose number
a queue cannot tell, are refused by half at most: answering 503 to whoever asks again at once costs, too, and beyond
that they wait. Lag is the time that what could go on waits for its turn; calls that wait for their providers are no
part of it. A loop that is late with hardly anything to do has been held up from outside; refusing would not make it
quicker.

A refused request costs little and may be repeated; an accepted one that dies of memory takes all others with it.
Health checks and voice sessions are never refused here: they are what is left when everything else is shed.
"""

import os
from collections.abc import Callable
from pathlib import Path

TARGET_S = 0.15  # a loop that is later than this in two samples in a row has too much to do
GAIN = 0.05  # the growth of the share for each time that the loop is late beyond that
MOST = 0.5  # the largest share refused for lateness: a refusal costs about a quarter of a request
MANY = 16  # requests under way, less of which make no loop late
FULL = 0.92  # of the memory this process may use
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_GROUPS = Path("/proc/self/cgroup")
_ROOTS = (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))


class Shedding:
    """`observe` every lag sample; `share` of new calls is to be refused, and `refuses` says whether the next one is."""

    def __init__(self, memory_limit_bytes: int = 0, *, resident: Callable[[], int] | None = None) -> None:
        self._limit_bytes = memory_limit_bytes
        self._resident = resident or resident_bytes
        self._lag_s = 0.0
        self._late = 0.0
        self._credit = 0.0
        self.share = 0.0

    def observe(self, lag_s: float, *, running: float = MANY) -> None:
        """A sample of the event loop's lag, with the requests under way; memory is looked at with it."""
        before_s, self._lag_s = self._lag_s, lag_s if running >= MANY else 0.0
        standing_s = min(before_s, self._lag_s)  # one late sample alone is a hiccup
        self._late = min(MOST, max(0.0, self._late + GAIN * (standing_s / TARGET_S - 1)))
        full = self._limit_bytes and self._resident() > FULL * self._limit_bytes
        self.share = 1.0 if full else self._late

    def refuses(self) -> bool:
        """Whether the next call is one of the share: they are spread evenly."""
        self._credit += self.share
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    @property
    def why(self) -> str | None:
        """The reason to refuse calls now, or None."""
        if not self.share:
            return None
        return "memory is nearly full" if self.share == 1 else "the event loop is late"


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
