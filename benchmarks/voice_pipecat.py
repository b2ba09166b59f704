"""pipecat-ai beside us: its environment, its server process, and what one must know to compare.

The server is voice_pipecat_server.py, run by the Python of the environment below `.bench/pipecat` (or `RR_BENCH_HOME`),
pinned to the first core, a fresh process for every number of sessions. A peer that is missing or breaks is a note.
"""

import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException

from router.upstreams.scripted.answer import CANONICAL

from .processes import end_process

HERE = Path(__file__).parent
HOME = Path(os.environ.get("RR_BENCH_HOME", HERE.parent / ".bench")) / "pipecat"
PYTHON = HOME / "bin" / "python"
VERSION = "1.14.0"
PACKAGES = (f"pipecat-ai=={VERSION}", "fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "websockets==17.4")
READY = re.compile(rb"ready at http://127\.0\.0\.1:(\d+)")
START_S = 60.0
SETUP = "python -m benchmarks.voice --setup"
FAIRNESS = (
    (
        "pipecat does more than this server in places: a frame system with a queue and a task per processor, "
        "loudness metering, a VAD thread per call, usage tracking; this server does more in others: routing, "
        "auth, limits, metrics."
    ),
    (
        "Its maintainers advise one process per call; more than one session per process is not how it is meant to "
        "run, and stands here because sessions per core is the question. Compare single sessions first."
    ),
    (
        "Stock parts: FastAPI WebSocket transport, Silero (confidence 0.5, start 0.1 s, stop 0.5 s, volume 0), "
        "turn end by silence alone (no Smart Turn), context aggregators, its STT, LLM and TTS base classes; RTVI "
        "off; uvloop; errors logged only. Its STT, LLM and TTS are fakes at 0 ms with our fakes' words, 100 ms of "
        "tone a word."
    ),
    (
        "The serializer is ours: base64 in JSON, so that one caller measures both. The caller's 24 kHz goes "
        "through pipecat's default stream resampler (soxr VHQ), which holds back about 40 ms of 'stopped' and "
        "'cancelled'."
    ),
    (
        "speech_stopped is written at the decision of its VAD, past its queues; 'cancelled' is when its output "
        "transport sees the interruption. There is no such event as response.done in pipecat."
    ),
    (
        "Both servers have the same priority and core. Its threads count in the load average of its rows, so read "
        "the load average of the whole report, taken before the first row. An error is a session that waited 20 s "
        "in vain."
    ),
    "Its transport sends audio in pieces of 40 ms at twice real time, ours in pieces of 100 ms, 0.3 s ahead.",
    (
        "Memory: growth over one warm session, divided by the sessions; a fresh process per size there, one for "
        "all here."
    ),
)

Row = dict[str, Any]
One = Callable[[int, int, int], Row]  # port, process id, number of sessions


class PeerFault(Exception):  # noqa: N818  # a fault of the peer, noted
    """The peer did not start."""


def setup() -> None:
    """Install the peer in an environment of its own: about half a gigabyte. SystemExit with the reason."""
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        subprocess.run([str(PYTHON), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    except subprocess.CalledProcessError as fault:
        raise SystemExit(f"pipecat could not be installed in {HOME}: {fault}") from fault


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """The peer on the first core: its port and process id. PeerFault when it does not come up."""
    command = [str(PYTHON), str(HERE / "voice_pipecat_server.py"), CANONICAL]
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    path = folder / "pipecat.log"
    with path.open("wb") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environ, cwd=folder)
        try:
            os.sched_setaffinity(child.pid, {0})
            ready = child.stdout is not None and select.select([child.stdout], [], [], START_S)[0]
            found = READY.search(child.stdout.readline()) if ready and child.stdout is not None else None
            if found is None:
                raise PeerFault(f"its server does not start: {path.read_text()[-600:].strip()}")
            yield int(found[1]), child.pid
        finally:
            end_process(child, 10)


def measured(folder: Path, sizes: Sequence[int], one: One) -> dict[str, Any]:
    """The peer's part of the report: its rows, and in `notes` what is missing and why."""
    notes = list(FAIRNESS)
    rows: list[Row] = []
    if not PYTHON.exists():
        return {"version": VERSION, "rows": rows, "notes": [f"pipecat was not measured: {SETUP} installs it"]}
    for count in sizes:
        try:
            with server(folder) as (port, pid):
                rows.append(one(port, pid, count))
        except (PeerFault, OSError, TimeoutError, WebSocketException, ExceptionGroup) as fault:
            notes.append(f"pipecat with {count} sessions was not measured: {type(fault).__name__}: {fault}")
    return {"version": VERSION, "rows": rows, "notes": notes}
