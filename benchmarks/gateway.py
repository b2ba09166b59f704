"""Gateways side by side: CPU per request, throughput, added latency, CPU per streamed chunk, memory, start-up time.

    python -m benchmarks.gateway --setup          installs the peers (PyPI, npm; nginx and wrk from Debian)
    python -m benchmarks.gateway [--quick] [--only realtime-router,nginx]

One machine, one run: the gateways have CPU 0 and are measured in turns, several times over; the mock provider and the
load generator share CPU 1. Absolute times on a busy machine mean little, so the table also gives each figure as a ratio
to nginx and to TensorZero in the same run.
Writes `gateway.json` and `gateway.png` beside this file.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from . import peers
from .load import Client, streams, wrk
from .measure import usage
from .report import STREAMS, Result, plot, table

HERE = Path(__file__).parent
MOCK_CPU = 1
ROUNDS = 5
COMPILED = "realtime-router-compiled"
PORTKEY = {  # the server below it: from 1.14 on its headers cannot be changed, and every stream ends in "immutable"
    "dependencies": {"@portkey-ai/gateway": "^1.15.2"},
    "overrides": {"@hono/node-server": "1.13.8"},
}
JSON_MOCK = (
    "default_type application/json; return 200 '"
    '{"id":"chatcmpl-mock","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":'
    '{"role":"assistant","content":"a short answer"},"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}\';'
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One contestant."""

    name: str
    command: Callable[[Path, int, int], list[str]]
    client: Client
    environment: dict[str, str] | None = None


GATEWAYS = (
    Gateway("nginx", peers.nginx, Client(9201, "/v1/chat/completions", "mock")),
    Gateway(
        "realtime-router",
        peers.ours,
        Client(9202, "/v1/chat/completions", "router/bench", {"authorization": "Bearer bench-secret"}),
        {"PYTHONPATH": str(peers.ROOT)},
    ),
    Gateway(
        COMPILED,
        peers.ours,
        Client(9206, "/v1/chat/completions", "router/bench", {"authorization": "Bearer bench-secret"}),
        {"PYTHONPATH": str(peers.COMPILED)},
    ),
    Gateway(
        "tensorzero",
        peers.tensorzero,
        Client(0, "/openai/v1/chat/completions", "tensorzero::function_name::bench"),
    ),
    Gateway(
        "portkey",
        peers.portkey,
        Client(
            9204, "/v1/chat/completions", "mock",
            {
                "x-portkey-provider": "openai",
                "x-portkey-custom-host": "http://127.0.0.1:UPSTREAM/v1",
                "authorization": "Bearer x",
            },
        ),
    ),
    Gateway(
        "litellm",
        peers.litellm,
        Client(9205, "/v1/chat/completions", "bench", {"authorization": "Bearer sk-bench-0123456789abcdef0123456789"}),
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    ),
)  # fmt: skip


def located(gateway: Gateway, folder: Path, upstream: int) -> Client | None:
    """The client with its real port (TensorZero chooses one) and upstream."""
    client = gateway.client
    port = client.port
    if not port:
        url = folder / "url"
        if not url.exists() or not (text := url.read_text()):
            return None
        port = int(text.rstrip("/").rpartition(":")[2].partition("/")[0])
    headers = {name: value.replace("UPSTREAM", str(upstream)) for name, value in client.headers.items()}
    return Client(port, client.path, client.model, headers)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A gateway that runs, and what is measured of it."""

    running: peers.Running
    result: Result

    def json_round(self, seconds: int) -> dict[str, float]:
        """CPU, throughput and latency of JSON completions at 32 connections, then added latency at one."""
        client, pid = self.running.client, self.running.pid
        wrk(client, connections=32, seconds=1, cpu=MOCK_CPU)
        before = usage(pid)
        load = wrk(client, connections=32, seconds=seconds, cpu=MOCK_CPU)
        spent_s = usage(pid).cpu_s - before.cpu_s
        straight = Client(peers.JSON_MOCK_PORT, "/v1/chat/completions", "mock")
        direct = wrk(straight, connections=1, seconds=1, cpu=MOCK_CPU)
        single = wrk(client, connections=1, seconds=2, cpu=MOCK_CPU)
        self.result.json_errors += load.errors
        return {
            "json_cpu_us": spent_s / max(1, load.requests) * 1e6,
            "json_per_s": load.requests / load.seconds,
            "json_p50_ms": load.p50_ms,
            "json_p99_ms": load.p99_ms,
            "single_added_p50_ms": single.p50_ms - direct.p50_ms,
            "single_added_p99_ms": single.p99_ms - direct.p99_ms,
        }

    def stream_round(self, seconds: int) -> dict[str, float]:
        """CPU per chunk at 64 paced streams."""
        before = usage(self.running.pid)
        load = asyncio.run(streams(self.running.client, concurrent=STREAMS, rate=100, count=100 * seconds))
        self.result.stream_broken = max(self.result.stream_broken, load.broken)
        return {"chunk_cpu_us": (usage(self.running.pid).cpu_s - before.cpu_s) / max(1, load.chunks) * 1e6}

    def many_streams(self, concurrent: int, seconds: int) -> None:
        """Many 50-token/s streams at once."""
        result, pid = self.result, self.running.pid
        before, started_s = usage(pid), time.monotonic()
        load = asyncio.run(streams(self.running.client, concurrent=concurrent, rate=50, count=50 * seconds))
        result.many_cpu_share = (usage(pid).cpu_s - before.cpu_s) / (time.monotonic() - started_s)
        result.many_streams, result.many_broken = concurrent, load.broken
        result.many_gap_p99_ms, result.many_gap_max_ms = load.gap_ms(0.99), max(load.gaps_ms, default=float("nan"))


@contextmanager
def started(gateways: Sequence[Gateway], results: dict[str, Result], upstream: int) -> Iterator[list[Contestant]]:
    """All of them running, one after the other started."""
    with ExitStack() as stack:
        contestants = []
        for gateway in gateways:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            command = gateway.command(folder, gateway.client.port, upstream)
            find = partial(located, gateway, folder, upstream)
            running = stack.enter_context(peers.running(command, folder, find, environment=gateway.environment))
            result = results[gateway.name]
            if not result.ready_s:
                result.ready_s, result.idle_mb = running.ready_s, usage(running.pid).resident_bytes / 1e6
            contestants.append(Contestant(running, result))
        yield contestants


def in_turns(contestants: list[Contestant], measure: Callable[[Contestant], dict[str, float]]) -> None:
    """Each in its turn, several times over, so that a machine's moods meet all of them; the median counts."""
    seen: dict[str, list[dict[str, float]]] = {}
    for number in range(ROUNDS):
        for one in contestants:
            seen.setdefault(one.result.name, []).append(measure(one))
        print(f"round {number + 1} of {ROUNDS} done", file=sys.stderr)
    for one in contestants:
        rounds = seen[one.result.name]
        for name in rounds[0]:
            setattr(one.result, name, median(found[name] for found in rounds))


def setup() -> None:
    """Install the peers under `.bench/`, and compile our own hot path there."""
    home = peers.HOME
    home.mkdir(parents=True, exist_ok=True)
    for name, packages in (("tz", ["tensorzero"]), ("ll", ["litellm[proxy]", "prometheus-client"])):
        subprocess.run([sys.executable, "-m", "venv", str(home / name)], check=True)
        subprocess.run([str(home / name / "bin/pip"), "install", "-q", *packages], check=True)
    (home / "pk").mkdir(exist_ok=True)
    (home / "pk/package.json").write_text(json.dumps(PORTKEY))
    subprocess.run(["npm", "install", "--silent", "--prefix", str(home / "pk")], check=True)
    subprocess.run([sys.executable, peers.ROOT / "deploy/compile.py", peers.COMPILED], check=True)


def main() -> None:
    """Run the contest and write what came out."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--setup", action="store_true", help="install the peers and stop")
    options.add_argument("--quick", action="store_true", help="short runs, for a look")
    options.add_argument("--only", default="", help="comma-separated gateways")
    options.add_argument("--streams", type=int, default=512, help="how many 50-token/s streams at once")
    options.add_argument("--output", type=Path, default=HERE)
    chosen = options.parse_args()
    if chosen.setup:
        setup()
        return
    names = chosen.only.split(",") if chosen.only else [gateway.name for gateway in GATEWAYS]
    gateways = [one for one in GATEWAYS if one.name in names and (one.name != COMPILED or peers.COMPILED.is_dir())]
    found = {gateway.name: Result(gateway.name) for gateway in gateways}
    seconds = 1 if chosen.quick else 4
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for command in (
            [sys.executable, "-m", "benchmarks.mock", "--port", str(peers.MOCK_PORT)],
            peers.nginx(folder, peers.JSON_MOCK_PORT, peers.MOCK_PORT, location=JSON_MOCK),
        ):
            process = peers.start(command, folder, cpu=MOCK_CPU, environment={"PYTHONPATH": str(peers.ROOT)})
            stack.callback(process.wait)
            stack.callback(process.terminate)
        with started(gateways, found, peers.JSON_MOCK_PORT) as contestants:
            in_turns(contestants, lambda one: one.json_round(seconds))
            for one in contestants:
                one.result.loaded_mb = usage(one.running.pid).resident_bytes / 1e6
        with started(gateways, found, peers.MOCK_PORT) as contestants:
            in_turns(contestants, lambda one: one.stream_round(seconds))
            for one in contestants:
                one.many_streams(chosen.streams, 2 if chosen.quick else 6)
    results = list(found.values())
    print(table(results))
    plot(results, chosen.output / "gateway.png")
    (chosen.output / "gateway.json").write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
