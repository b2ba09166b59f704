"""A soak: random faults, many streams, voice sessions, for minutes; nothing is lost and nothing grows.

    python -m benchmarks.soak                          20 minutes, 200 streams, 20 voice sessions
    python -m benchmarks.soak --minutes 1 --streams 40 --sessions 4 --seed 7

The mix is drawn from a seed, which is printed. Every request must end in exactly one way, gauges must return to
nought, and so must descriptors and asyncio tasks, once the load is over, to what they were before it. Over the time
after warming up memory, descriptors and tasks must not climb: `slopes` says how that is told from noise.
Writes `soak.json` and `soak.png` after a run of ten minutes and more.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.upstreams.scripted import ScriptedServer

from .measure import PAGE_BYTES
from .peers import ROOT
from .slopes import WARM, plot, slope, warm
from .soak_clients import Tally, ask, streamer, talker

GAP_S = 0.05
LONG_S = 600
SETTLE_S = 35.0  # longer than an idle connection to a provider is kept
MEMORY_TOLERATED_MB = 5.0  # over the time after warming up
LEAKS_TOLERATED = 1e-3  # descriptors or tasks a request
TASKS = """
# counts its asyncio tasks into a file when it gets SIGUSR2
import asyncio, os, pathlib, runpy, signal, sys
path = pathlib.Path(os.environ["SOAK_TASKS"])
signal.signal(signal.SIGUSR2, lambda *_: path.write_text(str(len(asyncio.all_tasks()))))
sys.argv[0] = "realtime"
runpy.run_module("realtime", run_name="__main__")
"""
CONFIG = """
version: 1
providers:
  east: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: x, allow_private: true}}
defaults:
  timeouts: {{connect_s: 1, first_token_s: 1, idle_s: 0.7, total_s: 20, answer_s: 6}}
  cooldown: {{base_s: 1, max_s: 2}}
routers: []
realtime: {{model: east/ok, limits: {{concurrent_sessions: 100}}}}
records: {{url: "memory://"}}
"""

Sample = tuple[float, float, int, int, int]  # seconds, MB, descriptors, asyncio tasks, requests under way


@dataclass(frozen=True, slots=True)
class Place:
    """The server under soak."""

    pid: int
    port: int
    stderr: Path
    tasks: Path

    async def sample(self) -> tuple[float, int, int]:
        """Resident MB, descriptors, asyncio tasks."""
        proc = Path(f"/proc/{self.pid}")
        self.tasks.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR2)
        async with asyncio.timeout(5):
            while not (self.tasks.exists() and (count := self.tasks.read_text())):
                await asyncio.sleep(0.01)
        resident_mb = int((proc / "statm").read_text().split()[1]) * PAGE_BYTES / 1e6
        return resident_mb, len(list((proc / "fd").iterdir())), int(count)


@contextlib.asynccontextmanager
async def served(port: int) -> AsyncIterator[Place]:
    """The application in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server.yml").write_text(CONFIG.format(port=port))
        tasks = folder / "tasks"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RR_") and not k.endswith("_API_KEY")}
        stderr = folder / "stderr.log"
        command = [sys.executable, "-c", TASKS, "serve", "--config", "server.yml", "--port", "0",
                   "--log-level", "warning"]  # fmt: skip
        with stderr.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, "PYTHONPATH": str(ROOT), "SOAK_TASKS": str(tasks)},
            )
        assert process.stdout is not None
        try:
            line = await asyncio.to_thread(process.stdout.readline)
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", line)
            if found is None:
                raise RuntimeError(stderr.read_text()[-2000:])
            yield Place(process.pid, int(found[1]), stderr, tasks)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def _sampler(place: Place, samples: list[Sample], tally: Tally, every_s: float) -> None:
    began_s = time.monotonic()
    while True:
        samples.append((time.monotonic() - began_s, *await place.sample(), tally.under_way))
        await asyncio.sleep(every_s)


async def run(*, seconds: float, streams: int, sessions: int, seed: int, picture: Path | None = None) -> dict[str, Any]:
    """Soak, settle, judge."""
    tally = Tally()
    samples: list[Sample] = []
    async with ScriptedServer(gap_s=GAP_S, time_scale=1.0) as server, served(server.port) as place:
        await ask(place.port, "ok", stream=True, leave_after_s=None)
        await talker(place.port, Tally(), seed, time.monotonic() + 2)
        before = (await place.sample())[1:]
        until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            sampling = group.create_task(_sampler(place, samples, tally, max(0.5, seconds / 400)))
            async with asyncio.TaskGroup() as load:
                for number in range(streams):
                    load.create_task(streamer(place.port, tally, seed * 1_000_003 + number, until_s))
                for number in range(sessions):
                    load.create_task(talker(place.port, tally, seed * 2_000_003 + number, until_s))
            sampling.cancel()
        await asyncio.sleep(SETTLE_S)
        after = (await place.sample())[1:]
        gauges = await _metrics(place, "rr_inflight", "rr_ws_sessions")
        lag = await _metrics(place, "rr_event_loop_lag_seconds_sum", "rr_event_loop_lag_seconds_count")
        lag_ms = lag["rr_event_loop_lag_seconds_sum"] / max(1.0, lag["rr_event_loop_lag_seconds_count"]) * 1000
        noise = place.stderr.read_text()
    return {
        "seed": seed,
        "seconds": round(seconds),
        "streams": streams,
        "sessions": sessions,
        "ended": dict(tally.ended),
        "voice_turns": tally.turns,
        "lost": tally.lost[:20],
        "gauges": gauges,
        "loop_lag_mean_ms": round(lag_ms, 1),
        "slopes": _slopes(samples, seconds, picture, requests=sum(tally.ended.values())),
        "at_rest": {"before": _counts(before), "after": _counts(after)},
        "tracebacks": noise.count("Traceback"),
        "noise": noise[-1500:] if "Traceback" in noise else "",
    }


def _slopes(samples: list[Sample], seconds: float, picture: Path | None, *, requests: int) -> dict[str, Any]:
    leaks = LEAKS_TOLERATED * requests / seconds * 60
    names = (
        ("memory_mb", MEMORY_TOLERATED_MB / (seconds * (1.0 - WARM) / 60)),
        ("descriptors", leaks),
        ("tasks", leaks),
    )
    panels = []
    for n, (name, tolerated) in enumerate(names, 1):
        points = [(one[0], float(one[n]), float(one[4])) for one in samples if one[0] <= seconds]
        panels.append((name, points, slope(warm(points), tolerated)))
    if picture is not None:
        plot(panels, picture)
    return {name: found.as_json() for name, _, found in panels}


def _counts(counted: tuple[int, int]) -> dict[str, int]:
    return dict(zip(("descriptors", "tasks"), counted, strict=True))


def failures(result: dict[str, Any]) -> list[str]:
    """What is wrong with a run, in words. Slopes are judged from ten minutes on: before, a server still warms up."""
    slopes = result["slopes"] if result["seconds"] >= LONG_S else {}
    rest = result["at_rest"]
    left = {name: rest["after"][name] - count for name, count in rest["before"].items()}
    return [
        *(f"lost: {one}" for one in result["lost"]),
        *(f"{name} grows" for name, one in slopes.items() if one["verdict"] == "grows"),
        *(f"{count} {name} are left" for name, count in left.items() if count > 2),
        *(f"{name} is {value}" for name, value in result["gauges"].items() if value),
        *(["tracebacks"] if result["tracebacks"] else []),
    ]


async def _metrics(place: Place, *names: str) -> dict[str, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return {
        name: sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))
        for name in names
    }


def main() -> None:
    """Run, print, write; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    folder = ROOT / "benchmarks" if options.minutes * 60 >= LONG_S else None
    size = {"streams": options.streams, "sessions": options.sessions, "seed": options.seed}
    result = asyncio.run(run(seconds=options.minutes * 60, **size, picture=folder and folder / "soak.png"))
    result["failures"] = failures(result)
    told = json.dumps(result, indent=1) + "\n"
    print(told)
    if folder is not None:
        (folder / "soak.json").write_text(told)
    sys.exit(bool(result["failures"]))


if __name__ == "__main__":
    main()
