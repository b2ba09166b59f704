"""The end of a process that a measurement or a test has started."""

import signal
import subprocess
from typing import Any


def end_process(process: subprocess.Popen[Any], within_s: float = 15, *, by: int | None = signal.SIGTERM) -> None:
    """Wait for its end, asked for by this signal (None: it was asked before); one that does not end is killed."""
    if by is not None:
        process.send_signal(by)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
