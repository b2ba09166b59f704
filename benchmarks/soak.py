"""A soak: random faults, many streams, voice sessions, for minutes; nothing is lost and nothing grows.

    python -m benchmarks.soak                          20 minutes, 200 streams, 20 voice sessions
    python -m benchmarks.soak --minutes 1 --streams 40 --sessions 4 --seed 7

The mix is drawn from a seed, which is printed. Every request must end in exactly one way, gauges must return to
nought, and over the time after warming up memory, descriptors and threads of the server must not climb.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from router.upstreams.scripted import CANONICAL, ScriptedServer

from .measure import PAGE_BYTES
from .peers import ROOT

FAULTS = (
    "ok", "ok", "ok", "ok", "500", "503", "429", "auth", "context", "html", "error-json", "reset", "close", "hang",
    "slow-first-3", "cut-40", "reset-40", "stall-20", "finless-30", "role-then-die", "malformed-20", "error-first",
    "error-20", "no-done-close", "no-done-open", "empty", "odd-sse", "content-filter", "bomb-gzip", "huge-event",
    "big-headers", "no-usage", "late", "tool-cut",
)  # fmt: skip
GAP_S = 0.05
SILENCE = "A" * 6400  # 100 ms of PCM at 24 kHz
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


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    turns: int = 0
    samples: list[tuple[float, int, int, int]] = field(default_factory=list)  # seconds, bytes, descriptors, threads


@dataclass(frozen=True, slots=True)
class Place:
    """The server under soak."""

    pid: int
    port: int
    stderr: Path

    def sample(self) -> tuple[int, int, int]:
        """Resident bytes, descriptors, threads."""
        proc = Path(f"/proc/{self.pid}")
        resident = int((proc / "statm").read_text().split()[1]) * PAGE_BYTES
        return resident, len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))


@contextlib.asynccontextmanager
async def served(port: int) -> AsyncIterator[Place]:
    """The application in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server.yml").write_text(CONFIG.format(port=port))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RR_") and not k.endswith("_API_KEY")}
        stderr = folder / "stderr.log"
        command = [sys.executable, "-m", "realtime", "serve", "--config", "server.yml", "--port", "0",
                   "--log-level", "warning"]  # fmt: skip
        with stderr.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=log, env={**environment, "PYTHONPATH": str(ROOT)}
            )
        assert process.stdout is not None
        try:
            line = await asyncio.to_thread(process.stdout.readline)
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", line)
            if found is None:
                raise RuntimeError(stderr.read_text()[-2000:])
            yield Place(process.pid, int(found[1]), stderr)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def _ask(place: Place, model: str, *, stream: bool, leave_after_s: float | None) -> str:
    """One request on a connection of its own; how it ended."""
    document = {
        "model": f"east/{model}",
        "models": [f"east/ok@{model}"],
        "messages": [{"role": "user", "content": "hello"}],
        "stream": stream,
    }
    body = json.dumps(document).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    try:
        writer.write(head.encode() + body)
        async with asyncio.timeout(leave_after_s):
            raw = await reader.read()
    except TimeoutError:
        return "left"
    finally:
        writer.transport.abort()
    return judged(raw, stream=stream)


def judged(raw: bytes, *, stream: bool) -> str:
    """complete, error event, http error; anything else is lost."""
    status = raw[9:12]
    if not raw.startswith(b"HTTP/1.1 ") or (b"\r\n0\r\n\r\n" not in raw[-7:] and b"content-length" not in raw[:2000]):
        return f"lost: {raw[:80]!r}"
    if status != b"200":
        return "http error" if raw.rstrip().endswith(b"}") else f"lost: {raw[:80]!r}"
    if not stream:
        return "complete" if CANONICAL[:40].encode() in raw else f"lost: {raw[-80:]!r}"
    done, error = b"data: [DONE]" in raw, b"stream_interrupted" in raw
    if done and not error:
        return "complete"
    return "error event" if error and not done else f"lost: {raw[-80:]!r}"


async def _streamer(place: Place, tally: Tally, seed: int, until_s: float) -> None:
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        model = chance.choice(FAULTS)
        leaves = chance.uniform(0.0, 2.0) if chance.random() < 0.1 else None
        try:
            async with asyncio.timeout(40):
                ended = await _ask(place, model, stream=chance.random() < 0.8, leave_after_s=leaves)
        except (OSError, TimeoutError) as error:
            ended = f"lost: {type(error).__name__}"
        if ended.startswith("lost"):
            tally.lost.append(f"{model}: {ended}")
        tally.ended[ended.partition(":")[0]] += 1
        await asyncio.sleep(chance.uniform(0.0, 0.5))


async def _talker(place: Place, tally: Tally, seed: int, until_s: float) -> None:
    """Sessions that ask in text, send silence, interrupt, and sometimes just leave."""
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        model = chance.choice(("ok", "ok", "500", "cut-40", "stall-20", "role-then-die"))
        try:
            async with (
                asyncio.timeout(40),
                connect(f"ws://127.0.0.1:{place.port}/v1/realtime?model=east/{model}", max_size=None) as socket,
            ):
                for _ in range(chance.randint(1, 4)):
                    if chance.random() < 0.1:
                        break
                    await _turn(socket, chance)
                    tally.turns += 1
        except (OSError, TimeoutError, WebSocketException) as error:
            tally.lost.append(f"voice {model}: {type(error).__name__} {error}")


async def _turn(socket: Any, chance: random.Random) -> None:
    for _ in range(5):
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": SILENCE}))
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send(json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}))
    cancels = chance.random() < 0.2
    while True:
        event = json.loads(await socket.recv())
        if event["type"] == "response.created" and cancels:
            await socket.send(json.dumps({"type": "response.cancel"}))
        if event["type"] == "response.done":
            return


async def _sampler(place: Place, tally: Tally, every_s: float) -> None:
    began_s = time.monotonic()
    while True:
        tally.samples.append((time.monotonic() - began_s, *place.sample()))
        await asyncio.sleep(every_s)


def slope(samples: list[tuple[float, float]]) -> float:
    """Least squares: units a second."""
    n = len(samples)
    if n < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in samples) / n, sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


async def run(*, seconds: float, streams: int, sessions: int, seed: int) -> dict[str, Any]:
    """Soak, settle, judge."""
    tally = Tally()
    async with ScriptedServer(gap_s=GAP_S, time_scale=1.0) as server, served(server.port) as place:
        until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            sampling = group.create_task(_sampler(place, tally, max(0.5, seconds / 200)))
            async with asyncio.TaskGroup() as load:
                for number in range(streams):
                    load.create_task(_streamer(place, tally, seed * 1_000_003 + number, until_s))
                for number in range(sessions):
                    load.create_task(_talker(place, tally, seed * 2_000_003 + number, until_s))
            sampling.cancel()
        await asyncio.sleep(3)
        gauges = await _gauges(place)
        settled = place.sample()
        noise = place.stderr.read_text()
    warm = [one for one in tally.samples if one[0] > seconds * 0.4]
    return {
        "seed": seed,
        "seconds": round(seconds),
        "streams": streams,
        "sessions": sessions,
        "ended": dict(tally.ended),
        "voice_turns": tally.turns,
        "lost": tally.lost[:20],
        "gauges": gauges,
        "memory_mb_a_minute": round(slope([(one[0], one[1]) for one in warm]) * 60 / 1e6, 3),
        "descriptors_a_minute": round(slope([(one[0], one[2]) for one in warm]) * 60, 3),
        "threads_a_minute": round(slope([(one[0], one[3]) for one in warm]) * 60, 3),
        "resident_mb": round(settled[0] / 1e6, 1),
        "descriptors_after": settled[1],
        "tracebacks": noise.count("Traceback"),
        "noise": noise[-1500:] if "Traceback" in noise else "",
    }


async def _gauges(place: Place) -> dict[str, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    names = ("rr_inflight", "rr_ws_sessions")
    return {
        name: sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))
        for name in names
    }


def main() -> None:
    """Run and print; the exit code says whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    result = asyncio.run(
        run(seconds=options.minutes * 60, streams=options.streams, sessions=options.sessions, seed=options.seed)
    )
    print(json.dumps(result, indent=1))
    sys.exit(bool(result["lost"] or result["tracebacks"]))


if __name__ == "__main__":
    main()
