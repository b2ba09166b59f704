"""A few processes on one port: fork, share the port with SO_REUSEPORT, replace whoever dies, pass signals on."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from .listening import Binding, listeners

_TOO_SHORT_S = 1.0
_MAX_FAILED_STARTS = 5


@dataclass(slots=True)
class Birth:
    """How a worker came into being."""

    first: bool  # the very first one, which speaks for all
    stale: bool  # forked from an old state, or a SIGHUP came before it could take one


class Supervisor:
    """The parent of the workers; it serves nothing itself."""

    def __init__(self, work: Callable[[Birth], int], count: int) -> None:
        self._work = work
        self._count = count
        self._born_s: dict[int, float] = {}
        self._stopping = False
        self._failed_starts = 0
        self._code = 0

    def run(self) -> int:
        """Fork and watch until told to stop. Returns 0, or the code of a worker that could not start."""
        for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(caught, self._pass_on)
        for number in range(self._count):
            self._fork(Birth(first=number == 0, stale=False))
        while self._born_s:
            pid, status = os.wait()
            born_s = self._born_s.pop(pid, None)
            if born_s is None or self._stopping:
                continue
            self._replace(os.waitstatus_to_exitcode(status), time.monotonic() - born_s)
        return self._code

    def _replace(self, code: int, lived_s: float) -> None:
        self._failed_starts = self._failed_starts + 1 if lived_s < _TOO_SHORT_S else 0
        if self._failed_starts >= _MAX_FAILED_STARTS:
            self._code = code if code > 0 else 1
            self._pass_on(signal.SIGTERM)
            return
        if self._failed_starts:
            time.sleep(0.1 * 2**self._failed_starts)
        if not self._stopping:
            self._fork(Birth(first=False, stale=True))

    def _fork(self, birth: Birth) -> None:
        pid = os.fork()
        if pid:
            self._born_s[pid] = time.monotonic()
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, lambda *_: setattr(birth, "stale", True))  # until the server takes it
        code = 1
        try:
            code = self._work(birth)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _pass_on(self, number: int, _frame: object = None) -> None:
        if number != signal.SIGHUP:
            self._stopping = True
        for pid in self._born_s:
            os.kill(pid, signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM)


def supervise(work: Callable[[Binding, Birth], int], binding: Binding) -> int:
    """Run `work` in `binding.workers` processes.

    The port is held here, so that port 0 means one port for all.
    """
    held = listeners(binding)  # bound, not listening: it reserves the port and takes no connection
    shared = replace(binding, port=held[0].getsockname()[1])
    try:
        return Supervisor(lambda birth: work(shared, birth), binding.workers).run()
    finally:
        for sock in held:
            sock.close()
