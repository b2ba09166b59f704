"""Load generators: wrk for JSON, one asyncio process for streams.

The stream generator checks the truth of what it receives (every token, `[DONE]`) while it times it: a gateway that is
fast and wrong has not won anything.
"""

import asyncio
import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .measure import percentile


@dataclass(frozen=True, slots=True)
class Client:
    """How a caller reaches one gateway."""

    port: int
    path: str
    model: str
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, text: str = "Say something short.", *, stream: bool = False) -> bytes:
        """A small chat completion; the mock provider reads the pace of a stream from the text."""
        document: dict[str, object] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "user": "u-42",
        }
        if stream:
            document |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class JsonLoad:
    """What wrk saw."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float


def wrk(client: Client, *, connections: int, seconds: int, cpu: int) -> JsonLoad:
    """Drive JSON completions with wrk pinned to one CPU."""
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in client.headers.items())
    script = (
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n{headers}'
        f"wrk.body = [==[{client.body().decode()}]==]\n"
        "function done(summary, latency, requests)\n"
        '  io.write(string.format("RESULT %d %f %d %f %f\\n", summary.requests, summary.duration / 1e6,\n'
        "    summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect,\n"
        "    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))\nend\n"
    )
    with TemporaryDirectory() as folder:
        lua = Path(folder) / "post.lua"
        lua.write_text(script)
        command = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(lua)]
        command.append(f"http://127.0.0.1:{client.port}{client.path}")
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"RESULT (\d+) (\S+) (\d+) (\S+) (\S+)", output)
    if not found:
        raise RuntimeError(f"wrk said nothing usable: {output!r}")
    return JsonLoad(int(found[1]), float(found[2]), int(found[3]), float(found[4]), float(found[5]))


@dataclass(slots=True)
class StreamLoad:
    """What the stream generator saw over all streams."""

    streams: int = 0
    chunks: int = 0
    broken: int = 0
    first_token_ms: list[float] = field(default_factory=list)
    gaps_ms: list[float] = field(default_factory=list)

    def gap_ms(self, share: float) -> float:
        """Percentile of the time between two tokens of one stream."""
        return percentile(self.gaps_ms, share)


async def one_stream(client: Client, pace: str, seen: StreamLoad, expect: int) -> None:
    """One streamed completion over its own connection."""
    body = client.body(pace, stream=True)
    head = "".join(f"{name}: {value}\r\n" for name, value in client.headers.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    started_s = last_s = time.monotonic()
    tokens, done = 0, False
    writer.write(
        f"POST {client.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{head}"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
        + body
    )
    async for line in reader:
        if not line.startswith(b"data: "):
            continue
        if b"[DONE]" in line:
            done = True
        elif b"word" in line:
            now_s = time.monotonic()
            (seen.gaps_ms if tokens else seen.first_token_ms).append((now_s - (last_s if tokens else started_s)) * 1e3)
            tokens, last_s = tokens + 1, now_s
    writer.close()
    seen.streams += 1
    seen.chunks += tokens
    seen.broken += not (done and tokens == expect)


async def streams(client: Client, *, concurrent: int, rate: int, count: int, rounds: int = 1) -> StreamLoad:
    """`concurrent` streams at once, `count` tokens each at `rate` a second, `rounds` times."""
    seen = StreamLoad()
    pace = f"rate-{rate}-count-{count}"
    for _ in range(rounds):
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrent):
                group.create_task(one_stream(client, pace, seen, count))
    return seen
