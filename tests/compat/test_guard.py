"""The drivers' own guard: a client library that dials out of this machine is stopped before it does."""

import subprocess
import sys

import pytest

from .environments import HERE

pytestmark = pytest.mark.compat


@pytest.mark.parametrize(("host", "refused"), [("192.0.2.1", True), ("127.0.0.1", False), ("::1", False)])
def test_python_drivers_stay_on_this_machine(host, refused):
    announced = f"import sys; sys.audit('socket.connect', None, ({host!r}, 80))"  # what a connect says before it is one
    done = subprocess.run(
        [sys.executable, "-c", announced], env={"PYTHONPATH": str(HERE / "common")}, capture_output=True, text=True
    )
    assert ("dials out" in done.stderr) is refused
    assert bool(done.returncode) is refused
