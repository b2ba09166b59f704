"""What one upstream call costs: CPU per request of our transport, aiohttp and httpx against the same raw mock, one run.

The mock is an asyncio protocol in a process of its own that answers in one write. Usage:
`python -m benchmarks.transport [requests] [concurrency]`; prints a table and, with `--json FILE`, writes the numbers.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from policies import Target, Timeouts
from router.upstreams.base import Call
from router.upstreams.openai_http import OpenAIUpstream

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there. " * 20}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 60, "total_tokens": 69},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\nserver: mock\r\n"
JSON_ANSWER = HEAD + b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hello "}}]}\n\n'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_ANSWER = STREAM_HEAD + (b"%x\r\n" % len(CHUNK) + CHUNK + b"\r\n") * 50 + b"0\r\n\r\n"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Say hello. " * 10}]}).encode()
Ask = Callable[[], Awaitable[int]]


class Mock(asyncio.Protocol):
    """Answers every request whose end has arrived; `/stream` in its path asks for the streamed answer."""

    def __init__(self) -> None:
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream transport

    def data_received(self, data: bytes) -> None:
        """One write per complete request."""
        assert self._transport is not None
        self._seen += data
        while (end := self._seen.find(BODY)) >= 0:
            streamed = b"/stream" in self._seen[:64]
            self._seen = self._seen[end + len(BODY) :]
            self._transport.write(STREAM_ANSWER if streamed else JSON_ANSWER)


def run_mock(pipe: Any) -> None:
    """The other process."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def ours(port: int, path: str) -> tuple[Ask, Callable[[], Awaitable[Any]]]:
    """The transport of the router."""
    upstream = OpenAIUpstream(f"http://127.0.0.1:{port}/v1", "key", allow_private=True)
    target, timeouts = Target("mock", "m"), Timeouts()

    async def ask() -> int:
        reply = await upstream.send(Call(target, path, BODY, None, stream=False, timeouts=timeouts))
        try:
            return len(await reply.body())
        finally:
            reply.close()

    return ask, upstream.aclose


def with_aiohttp(port: int, path: str) -> tuple[Ask, Callable[[], Awaitable[Any]]]:
    """aiohttp, tuned: no cookies, no automatic headers, a prepared URL."""
    import aiohttp
    import yarl

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("accept", "accept-encoding", "user-agent"),
    )
    url = yarl.URL(f"http://127.0.0.1:{port}/v1{path}", encoded=True)
    headers = {"authorization": "Bearer key", "content-type": "application/json"}

    async def ask() -> int:
        async with session.post(url, data=BODY, headers=headers, allow_redirects=False) as reply:
            return len(await reply.read())

    return ask, session.close


def with_httpx(port: int, path: str) -> tuple[Ask, Callable[[], Awaitable[Any]]]:
    """httpx, as it comes, without environment and redirects."""
    import httpx

    client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None))
    url = f"http://127.0.0.1:{port}/v1{path}"
    headers = {"authorization": "Bearer key", "content-type": "application/json"}

    async def ask() -> int:
        return len((await client.post(url, content=BODY, headers=headers)).content)

    return ask, client.aclose


async def measure(made: tuple[Ask, Callable[[], Awaitable[Any]]], requests: int, concurrency: int) -> dict[str, float]:
    """CPU and wall time per request."""
    ask, close = made

    async def work(count: int) -> None:
        for _ in range(count):
            assert await ask() > 0

    await work(20)
    cpu_s, wall_s = cpu(), time.perf_counter()
    await asyncio.gather(*(work(requests // concurrency) for _ in range(concurrency)))
    cpu_s, wall_s = cpu() - cpu_s, time.perf_counter() - wall_s
    await close()
    done = requests // concurrency * concurrency
    return {"cpu_us": cpu_s / done * 1e6, "per_s": done / wall_s}


def cpu() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=10_000)
    parser.add_argument("concurrency", type=int, nargs="?", default=32)
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_mock, args=(there,), daemon=True)
    process.start()
    port = here.recv()
    clients = {"realtime-router": (ours, 1.0), "aiohttp": (with_aiohttp, 1.0), "httpx": (with_httpx, 0.1)}
    table: dict[str, dict[str, dict[str, float]]] = {}
    for path in ("/json", "/stream"):
        for name, (make, share) in clients.items():

            async def one(make: Any = make, path: str = path, share: float = share) -> dict[str, float]:
                return await measure(make(port, path), int(words.requests * share), words.concurrency)

            found = uvloop.run(one())
            table.setdefault(path, {})[name] = found
            ratio = found["cpu_us"] / table[path]["realtime-router"]["cpu_us"]
            print(f"{path:8} {name:16} {found['cpu_us']:8.1f} us CPU  {found['per_s']:8.0f} requests/s  {ratio:5.2f} x")
    if words.json:
        words.json.write_text(json.dumps(table, indent=2))
    process.terminate()
    process.join()


if __name__ == "__main__":
    main()
