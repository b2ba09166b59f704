"""A control group of a test's own: how much processor and memory one process may use."""

import contextlib
import os
import secrets
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


def why_not(controller):
    """Why this machine cannot limit it; empty when it can."""
    if os.geteuid() != 0:
        return "control groups need root"
    if not os.access(ROOT / controller / "cgroup.procs", os.W_OK):
        return f"control groups of version 1 with {controller!r} are not mounted"
    return ""


class Group:
    """`with Group("cpu") as group`: `group["cpu.cfs_quota_us"] = 20_000`; `group.command` starts a program in it."""

    def __init__(self, controller):
        self.place = ROOT / controller / f"rr-{os.getpid()}-{secrets.token_hex(3)}"

    def __enter__(self):
        self.place.mkdir()
        return self

    def __exit__(self, *_):
        for _ in range(200):  # a process that has just ended may still count
            with contextlib.suppress(OSError):
                for pid in (self.place / "cgroup.procs").read_text().split():
                    (self.place.parent / "cgroup.procs").write_text(pid)
                self.place.rmdir()
                return
            time.sleep(0.01)
        raise AssertionError(f"the control group {self.place} does not go")

    def __setitem__(self, name, value):
        (self.place / name).write_text(str(value))

    def __getitem__(self, name):
        return int((self.place / name).read_text())

    @property
    def command(self):
        return ("sh", "-c", f'echo $$ > {self.place}/cgroup.procs && exec "$@"', "sh")
