"""A server of its own for a browser to visit."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@contextlib.contextmanager
def serving(*flags):
    """The address of a server of its own."""
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", "--log-level", "error", *flags]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RR_NO_OLLAMA": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    words = ""
    while not (found := re.search(r"ready at (http://\S+)", words)):
        line = process.stdout.readline()
        assert line, f"the server ended: {words}"
        words += line
    try:
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)  # ends without the delay that load balancers want
        process.wait(15)
        process.stdout.close()
