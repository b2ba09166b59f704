"""What relaying costs, what a lost upstream does: `python -m benchmarks.relay [--sessions 1,25,100] [--seconds 10]`.

The upstream answers each append at once with a delta of the same sound. A frame's way to it and back is timed with the
relay in between and without, on the same machine at the same rate (50 frames of 20 ms a second and session); what is
added is the difference of the percentiles. Then sessions whose upstream refuses, dies within a second, or dies in the
middle of a reply, with another one behind it. The relay is pinned to the first core, everything else to the second.
Writes benchmarks/relay.json, with the load of the machine beside the figures; `--quick` writes nothing.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from .measure import percentile, usage

HERE = Path(__file__).parent
READY = re.compile(rb"ready at http://127\.0\.0\.1:(\d+)")
SERVER = """
version: 1
records: {{url: null}}
providers:
  up: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: unused, allow_private: true,
       realtime: {{models: ["*"]}}}}
routers: [routers]
defaults: {{cooldown: {{consecutive_failures: 1000}}}}
realtime: {{limits: {{concurrent_sessions: 1000, packets_per_second: 1000000}}}}
"""
ROUTER = """
router: {name}
kind: realtime
default: {{id: d, variants: [{{id: v, weight: 100, model: up/{name}, fallbacks: [up/echo]}}]}}
"""
FAULTS = ("refuse", "young", "crash")
SOUND = "A" * 1280  # 20 ms of 24 kHz samples
FRAME_S = 0.02


def event(kind: str, **fields: Any) -> str:
    """One event."""
    return json.dumps({"type": kind, **fields})


class Upstream:
    """Echoes, or fails as the model's name says."""

    def __init__(self) -> None:
        self.died_s = 0.0

    async def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        """503 for the model `refuse`."""
        return connection.respond(503, "no\n") if request.path.endswith("model=refuse") else None

    async def talk(self, socket: ServerConnection) -> None:
        """One session."""
        path = socket.request.path if socket.request is not None else ""
        model = path.partition("model=")[2]
        audio = {"input": {"turn_detection": None}}
        await socket.send(event("session.created", session={"type": "realtime", "id": "sess_1", "audio": audio}))
        if model == "young":
            await asyncio.sleep(0.4)
            await socket.close(1011)
        with suppress(ConnectionClosed):
            async for text in socket:
                if b'"input_audio_buffer.append"' in (text.encode() if isinstance(text, str) else text)[:60]:
                    number = json.loads(text)["event_id"]
                    await socket.send(event("response.output_audio.delta", response_id=number, delta=SOUND))
                elif json.loads(text)["type"] == "response.create":
                    await self._answer(socket, model)

    async def _answer(self, socket: ServerConnection, model: str) -> None:
        response = {"id": "resp_1", "conversation_id": "conv_1", "status": "in_progress", "output": []}
        await socket.send(event("response.created", response=response))
        await socket.send(event("response.output_audio.delta", response_id="resp_1", delta=SOUND))
        if model == "crash":
            await asyncio.sleep(1.1)  # longer than what is passed over in silence
            self.died_s = time.monotonic()
            socket.transport.abort()
            return
        await socket.send(event("response.done", response={**response, "status": "completed"}))


@contextmanager
def relay(port: int) -> Iterator[tuple[int, int]]:
    """The router as a process on the first core: its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "routers").mkdir()
        for name in FAULTS:
            (Path(folder) / "routers" / f"{name}.yaml").write_text(ROUTER.format(name=name))
        (Path(folder) / "server.yaml").write_text(SERVER.format(port=port))
        command = [
            "taskset",
            "-c",
            "0",
            sys.executable,
            "-m",
            "realtime",
            "serve",
            "--port",
            "0",
            "--log-level",
            "error",
        ]
        process = subprocess.Popen(
            [*command, "--config", "server.yaml"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "RR_NO_OLLAMA": "1"},
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            found = next(filter(None, map(READY.search, process.stdout)))
            yield int(found[1]), process.pid
        finally:
            process.kill()
            process.wait()


def dial(port: int, model: str) -> connect:
    """A session."""
    address = f"ws://127.0.0.1:{port}/v1/realtime?model={model}"
    return connect(address, compression=None, max_size=None, additional_headers={"authorization": "Bearer unused"})


async def until(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next event of one of these kinds."""
    while True:
        told: dict[str, Any] = json.loads(await socket.recv())
        if told["type"] in kinds:
            return told


async def echoes(port: int, model: str, seconds: float, offset_s: float, into: list[float]) -> None:
    """One session: a frame each 20 ms, and how long each took to come back, in ms."""
    async with dial(port, model) as socket:
        await until(socket, "session.created")
        sent: dict[str, float] = {}

        async def listen() -> None:
            with suppress(ConnectionClosed):
                async for text in socket:
                    told = json.loads(text)
                    if told["type"] == "response.output_audio.delta":
                        into.append((time.perf_counter() - sent.pop(told["response_id"])) * 1000)

        hearing = asyncio.ensure_future(listen())
        await asyncio.sleep(offset_s)
        began_s = time.perf_counter()
        for number in range(int(seconds / FRAME_S)):
            await asyncio.sleep(max(0.0, began_s + number * FRAME_S - time.perf_counter()))
            sent[str(number)] = time.perf_counter()
            await socket.send(event("input_audio_buffer.append", event_id=str(number), audio=SOUND))
        await asyncio.sleep(0.2)
        await socket.close()
        await hearing


async def timed(port: int, model: str, sessions: int, seconds: float) -> dict[str, float]:
    """Percentiles of so many sessions at once."""
    taken: list[float] = []
    await asyncio.gather(*(echoes(port, model, seconds, FRAME_S * n / sessions, taken) for n in range(sessions)))
    return {
        "p50_ms": round(percentile(taken, 0.5), 2),
        "p99_ms": round(percentile(taken, 0.99), 2),
        "frames": len(taken),
    }


async def opening_ms(port: int, model: str) -> float:
    """From the dial to `session.created`."""
    began_s = time.perf_counter()
    async with dial(port, model) as socket:
        await until(socket, "session.created")
        return (time.perf_counter() - began_s) * 1000


async def survives(port: int, model: str, upstream: Upstream) -> float | None:
    """Whether a session of one of the faults is there in the end: ms from the fault to its rescue; None: lost."""
    try:
        async with dial(port, f"router/{model}") as socket, asyncio.timeout(10):
            await until(socket, "session.created")
            if model == "young":
                await asyncio.sleep(1.0)
            await socket.send(event("response.create"))
            rescued_s = 0.0
            if model == "crash":
                await until(socket, "response.done")
                while (await until(socket, "error"))["error"]["code"] != "upstream_changed":
                    pass
                rescued_s = time.monotonic() - upstream.died_s
                await socket.send(event("response.create"))
            done = await until(socket, "response.done")
            return rescued_s * 1000 if done["response"]["status"] == "completed" else None
    except (ConnectionClosed, TimeoutError):
        return None


async def measure(sessions: list[int], seconds: float, rescues: int) -> dict[str, Any]:
    """All of it."""
    upstream = Upstream()
    found: dict[str, Any] = {"load": os.getloadavg()[0], "added": {}}
    async with serve(upstream.talk, "127.0.0.1", 0, process_request=upstream.refuse, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with relay(port) as (relayed, pid):
            await opening_ms(relayed, "up/echo")  # opens the voice floor
            for count in sessions:
                direct = await timed(port, "echo", count, seconds)
                before = usage(pid)
                through = await timed(relayed, "up/echo", count, seconds)
                cpu = (usage(pid).cpu_s - before.cpu_s) / seconds * 100
                added = {name: round(through[name] - direct[name], 2) for name in ("p50_ms", "p99_ms")}
                row = {"added": added, "direct": direct, "relayed": through, "cpu_percent": round(cpu, 1)}
                found["added"][str(count)] = row
                print(count, json.dumps(row))
            plain = sorted([await opening_ms(relayed, "up/echo") for _ in range(rescues)])
            refused = sorted([await opening_ms(relayed, "router/refuse") for _ in range(rescues)])
            middle = rescues // 2
            found["refused"] = {"of": rescues, "extra_p50_ms": round(refused[middle] - plain[middle], 1),
                                "extra_worst_ms": round(refused[-1] - plain[0], 1)}  # fmt: skip
            young = await asyncio.gather(*(survives(relayed, "young", upstream) for _ in range(rescues)))
            found["died_young"] = {"of": rescues, "rescued": sum(one is not None for one in young)}
            crashed = [await survives(relayed, "crash", upstream) for _ in range(min(rescues, 20))]
            swaps = [one for one in crashed if one is not None]
            found["crashed"] = {
                "of": len(crashed),
                "rescued": len(swaps),
                "swap_p50_ms": round(percentile(swaps, 0.5), 1),
                "swap_worst_ms": round(max(swaps), 1),
            }
    return found


def main() -> None:
    """Measure, show, write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sessions", default="1,25,100")
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--quick", action="store_true")
    wanted = asked.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    counts = [1, 10] if wanted.quick else [int(one) for one in wanted.sessions.split(",")]
    found = asyncio.run(measure(counts, 2 if wanted.quick else wanted.seconds, 10 if wanted.quick else 100))
    print(json.dumps(found, indent=1))
    if not wanted.quick:
        (HERE / "relay.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
