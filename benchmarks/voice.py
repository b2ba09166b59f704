"""The voice floor's own time: `python -m benchmarks.voice [--sessions 1,25,50,100] [--seconds 20]`, pipecat beside it.

Fakes at 0 ms hear, answer and speak (providers `scripted`), so what is left is ours: detecting, committing, routing,
pacing, writing. The server is pinned to the first core, the caller to the second; processor time is that of the
server's process, all threads and children, the fakes inside it too, and not the caller's. A row takes at least 30
turns, so that one session takes a minute and a half; all of it takes six minutes. Writes benchmarks/voice.json and
voice.png. The load of the machine is written beside the figures: read them together. `--setup` installs the peer
(voice_pipecat.py); without it the report says that it was not measured. `--peer-sessions ""` leaves it out. `--quick`
takes half a minute, leaves the peer out and writes nothing.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realtime.audio.resample import resample

from . import voice_pipecat
from .voice_caller import RATE, Seen, calls
from .voice_report import NOTE, SETTINGS, jittery, plot, settings, table

HERE = Path(__file__).parent
READY = re.compile(rb"ready at http://127\.0\.0\.1:(\d+)")
SERVER = """
version: 1
records: {url: null}
providers: {scripted: {kind: scripted}}
routers: []
realtime:
  model: scripted/ok
  transcription: {model: scripted/hears}
  speech: {model: scripted/speaks, lead_s: 0.3}
  limits: {concurrent_sessions: 1000, packets_per_second: 1000000}
"""
GOALS = {"first_audio_p99": {"1": 3.0, "100": 10.0}, "stopped": (90, 125), "cancelled": (110, 130), "cpu_percent": 50}
TICKS = os.sysconf("SC_CLK_TCK")
TURNS, TURN_S = 30, 3.0  # at least so many turns a row; no turn that is answered at once takes longer


def spoken_question(folder: Path) -> np.ndarray:
    """A short question in a flite voice, trimmed at both ends."""
    if shutil.which("flite") is None:
        raise SystemExit("benchmarks.voice needs the program 'flite' for the caller's voice")
    path = folder / "question.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", "what is the weather like", "-o", str(path)], check=True)
    with wave.open(str(path)) as clip:
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
        rate = clip.getframerate()
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    return resample(samples[loud[0] : loud[-1] + 1], rate, RATE)


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """A router on the first core: its port and process id."""
    (folder / "server.yaml").write_text(SERVER)
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", "--config", str(folder / "server.yaml")]
    command += ["--log-level", "error"]
    environ = {name: word for name, word in os.environ.items() if not name.startswith("OPENBLAS_")}  # it settles them
    environ |= {"PYTHONPATH": str(HERE.parent), "RR_NO_OLLAMA": "1"}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environ, cwd=folder)
        try:
            line = b""
            while child.stdout is not None and not READY.search(line):
                line = child.stdout.readline()
                if not line:
                    raise SystemExit((folder / "log").read_text())
            os.sched_setaffinity(child.pid, {0})
            ahead_of_others(child.pid)
            found = READY.search(line)
            yield int(found[1]) if found else 0, child.pid
        finally:
            child.terminate()
            child.wait(30)


def ahead_of_others(pid: int) -> None:
    """Priority over whatever else runs here, where we may (root): what is measured is us, not the neighbours."""
    with suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def family(pid: int) -> list[int]:
    """A process and all that it has started and that still run."""
    born = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return [pid, *(one for child in born for one in family(child))]


def cpu_s(pid: int) -> float:
    """Processor time of a process with all of its threads and children, user and system."""
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of a process and its children."""
    found = [re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text()) for one in family(pid)]
    return sum(int(one[1]) for one in found if one) / 1024


@dataclass(frozen=True, slots=True)
class Length:
    """How long a row is: some seconds at least, and some turns over all of its sessions."""

    seconds: float
    turns: int = TURNS

    def of(self, count: int) -> float:
        """Seconds for so many sessions."""
        return max(self.seconds, TURN_S * self.turns / count)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, maximum and count."""
    if not values:
        return {"n": 0}
    p50, p95, p99, top = np.percentile(values, (50, 95, 99, 100))
    return {
        "p50": round(float(p50), 1),
        "p95": round(float(p95), 1),
        "p99": round(float(p99), 1),
        "max": round(float(top), 1),
        "n": len(values),
    }


def row_of(seen: Seen, count: int, cpu_percent: float, mib: float) -> dict[str, Any]:
    """One size as JSON."""
    return {
        "sessions": count,
        "first_audio_ms": spread(seen.first_audio),
        "stopped_beyond_silence_ms": spread(seen.stopped),
        "answered_ms": spread(seen.answered),
        "interruption_to_cancel_ms": spread(seen.cancelled),
        "send_jitter_ms": spread(seen.jitter),
        "audio_after_cancel": seen.late,
        "errors": seen.errors,
        "server_cpu_percent": round(cpu_percent, 1),
        "mib_per_session": round(mib, 3),
        "load_average": os.getloadavg()[0],
    }


async def measure(
    port: int, pid: int, sizes: Sequence[int], speech: np.ndarray, length: Length
) -> list[dict[str, Any]]:
    """Every size, smallest first."""
    address = f"ws://127.0.0.1:{port}/v1/realtime?model=scripted/ok"
    await calls(address, 1, speech, seconds=6.0)  # imports and the first allocations of a turn are not measured
    rows = []
    for count in sizes:
        before_mib, seconds = rss_mib(pid), length.of(count)
        running = asyncio.ensure_future(calls(address, count, speech, seconds=seconds))
        await asyncio.sleep(2.0 + count * 0.02)
        begun_s, used_s = time.monotonic(), cpu_s(pid)
        await asyncio.sleep(seconds - 2.0)
        percent = (cpu_s(pid) - used_s) / (time.monotonic() - begun_s) * 100
        mib = (rss_mib(pid) - before_mib) / count
        rows.append(row_of(await running, count, percent, mib))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure and write."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", default="1,25,50,100")
    options.add_argument("--peer-sessions", default="1,25,50")
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--quick", action="store_true", help="1 and 10 sessions for a few seconds, nothing written")
    options.add_argument("--setup", action="store_true", help="install the peer and end")
    asked = options.parse_args()
    if asked.setup:
        voice_pipecat.setup()
        return
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    ahead_of_others(0)
    if asked.quick:
        rows, _ = run((1, 10), (), Length(8.0, turns=0))
        print(table(rows, ()), NOTE, sep="\n")
        return
    load_average = os.getloadavg()[0]
    sizes, peer_sizes = (
        [int(size) for size in text.split(",") if size] for text in (asked.sessions, asked.peer_sessions)
    )
    rows, peer = run(sizes, peer_sizes, Length(asked.seconds))
    own = [NOTE, *jittery(rows, "ours")]
    peer["notes"] += jittery(peer["rows"], "pipecat")
    report = {
        "rows": rows,
        "pipecat": peer,
        "settings": SETTINGS,
        "goals": GOALS,
        "python": sys.version.split()[0],
        "load_average": load_average,
        "notes": own,
    }
    (HERE / "voice.json").write_text(json.dumps(report, indent=1) + "\n")
    print(table(rows, peer["rows"]), settings(), *own, *peer["notes"], sep="\n")
    try:
        plot(rows, peer["rows"], HERE / "voice.png")
    except ImportError:
        print("no plot: matplotlib is not installed")


def run(sizes: Sequence[int], peer_sizes: Sequence[int], length: Length) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Both servers, one after the other: our rows, and the peer's part of the report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speech = spoken_question(folder)

        def one(port: int, pid: int, count: int) -> dict[str, Any]:
            ahead_of_others(pid)
            measuring = measure(port, pid, [count], speech, length)
            return asyncio.run(asyncio.wait_for(measuring, length.of(count) + 60))[0]

        with server(folder) as (port, pid):
            rows = asyncio.run(measure(port, pid, sizes, speech, length))
        return rows, voice_pipecat.measured(folder, peer_sizes, one)


if __name__ == "__main__":
    main()
