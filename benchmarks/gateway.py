"""Gateways side by side: CPU per request, throughput, added latency, CPU per streamed chunk, memory, start-up time.

    python -m benchmarks.gateway --setup          installs the peers (PyPI, npm; nginx and wrk from Debian)
    python -m benchmarks.gateway [--quick] [--only realtime-router,nginx]

One machine, one run: the gateway has CPU 0, the mock provider and the load generator share CPU 1. Absolute times on a
busy machine mean little, so the table also gives each figure as a ratio to nginx and to TensorZero in the same run.
Writes `gateway.json` and `gateway.png` beside this file.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from . import peers
from .load import Client, streams, wrk
from .measure import usage
from .report import STREAMS, Result, plot, table

HERE = Path(__file__).parent
MOCK_CPU = 1
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


def measure_json(running: peers.Running, result: Result, *, seconds: int) -> None:
    """CPU, throughput and latency of JSON completions at 32 connections, then added latency at one."""
    wrk(running.client, connections=32, seconds=max(1, seconds // 4), cpu=MOCK_CPU)
    before = usage(running.pid)
    load = wrk(running.client, connections=32, seconds=seconds, cpu=MOCK_CPU)
    after = usage(running.pid)
    result.json_cpu_us = (after.cpu_s - before.cpu_s) / max(1, load.requests) * 1e6
    result.json_per_s = load.requests / load.seconds
    result.json_p50_ms, result.json_p99_ms, result.json_errors = load.p50_ms, load.p99_ms, load.errors
    direct = wrk(Client(peers.JSON_MOCK_PORT, "/v1/chat/completions", "mock"), connections=1, seconds=2, cpu=MOCK_CPU)
    single = wrk(running.client, connections=1, seconds=max(2, seconds // 2), cpu=MOCK_CPU)
    result.single_added_p50_ms = single.p50_ms - direct.p50_ms
    result.single_added_p99_ms = single.p99_ms - direct.p99_ms
    result.loaded_mb = after.resident_bytes / 1e6


def measure_streams(running: peers.Running, result: Result, *, seconds: int, concurrent: int) -> None:
    """CPU per chunk at 64 paced streams, then many 50-token/s streams at once."""
    before = usage(running.pid)
    load = asyncio.run(streams(running.client, concurrent=STREAMS, rate=100, count=100 * max(2, seconds // 2)))
    after = usage(running.pid)
    result.chunk_cpu_us = (after.cpu_s - before.cpu_s) / max(1, load.chunks) * 1e6
    result.stream_broken = load.broken
    before, started_s = after, time.monotonic()
    load = asyncio.run(streams(running.client, concurrent=concurrent, rate=50, count=50 * max(2, seconds // 2)))
    after = usage(running.pid)
    result.many_streams, result.many_broken = concurrent, load.broken
    result.many_gap_p99_ms, result.many_gap_max_ms = load.gap_ms(0.99), max(load.gaps_ms, default=float("nan"))
    result.many_cpu_share = (after.cpu_s - before.cpu_s) / (time.monotonic() - started_s)


def contest(gateway: Gateway, *, seconds: int, concurrent: int) -> Result:
    """Start one gateway twice (JSON mock, then stream mock) and measure it."""
    result = Result(gateway.name)
    for upstream in (peers.JSON_MOCK_PORT, peers.MOCK_PORT):
        with TemporaryDirectory() as name:
            folder = Path(name)
            command = gateway.command(folder, gateway.client.port, upstream)
            find = lambda: located(gateway, folder, upstream)  # noqa: E731, B023
            with peers.running(command, folder, find, environment=gateway.environment) as running:
                if upstream == peers.JSON_MOCK_PORT:
                    result.ready_s = running.ready_s
                    result.idle_mb = usage(running.pid).resident_bytes / 1e6
                    measure_json(running, result, seconds=seconds)
                else:
                    measure_streams(running, result, seconds=seconds, concurrent=concurrent)
    return result


def setup() -> None:
    """Install the peers under `.bench/`."""
    home = peers.HOME
    home.mkdir(parents=True, exist_ok=True)
    for name, packages in (("tz", ["tensorzero"]), ("ll", ["litellm[proxy]", "prometheus-client"])):
        subprocess.run([sys.executable, "-m", "venv", str(home / name)], check=True)
        subprocess.run([str(home / name / "bin/pip"), "install", "-q", *packages], check=True)
    (home / "pk").mkdir(exist_ok=True)
    (home / "pk/package.json").write_text(json.dumps(PORTKEY))
    subprocess.run(["npm", "install", "--silent", "--prefix", str(home / "pk")], check=True)


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
    seconds = 4 if chosen.quick else 12
    results: list[Result] = []
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for command in (
            [sys.executable, "-m", "benchmarks.mock", "--port", str(peers.MOCK_PORT)],
            peers.nginx(folder, peers.JSON_MOCK_PORT, peers.MOCK_PORT, location=JSON_MOCK),
        ):
            process = peers.start(command, folder, cpu=MOCK_CPU, environment={"PYTHONPATH": str(peers.ROOT)})
            stack.callback(process.wait)
            stack.callback(process.terminate)
        for gateway in GATEWAYS:
            if gateway.name in names:
                results.append(contest(gateway, seconds=seconds, concurrent=chosen.streams))
                print(f"{gateway.name} done", file=sys.stderr)
    print(table(results))
    plot(results, chosen.output / "gateway.png")
    (chosen.output / "gateway.json").write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
