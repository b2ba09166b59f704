"""What the core itself costs: microseconds of CPU per JSON request and per streamed chunk, over an upstream in memory.

    python -m benchmarks.core [--requests N] [--chunks N]

Prints a JSON line. The upstream answers at once from prepared bytes, so that everything measured is ours: parsing the
routing fields, the decision, the plan, the body, the judgement of the answer, the record and its splicing.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping

from policies import RoutingTable, Targets
from router import Router, State
from router.upstreams.base import Call

WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-x","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"' + b"word " * 60 + b'","refusal":null},"logprobs":null,'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":60,"total_tokens":72}}'
)
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"gpt-x",'
    b'"system_fingerprint":"fp","choices":[{"index":0,"delta":{%b},"logprobs":null,"finish_reason":%b}],"usage":null}\n\n'
)
WORD = CHUNK % (b'"content":" word"', b"null")
FINISH = CHUNK % (b"", b'"stop"')
DONE = b"data: [DONE]\n\n"


class Answer:
    """A reply made of prepared pieces."""

    status = 200
    idle_s = 60.0

    def __init__(self, pieces: list[bytes], content_type: str) -> None:
        self._pieces = iter(pieces)
        self.headers: Mapping[str, str] = {"content-type": content_type}

    async def read(self) -> bytes:
        """The next piece."""
        return next(self._pieces, b"")

    async def body(self, limit_bytes: int = 0) -> bytes:
        """All of it."""
        del limit_bytes
        return b"".join(self._pieces)

    def close(self) -> None:
        """Nothing is held."""


class Memory:
    """An upstream without I/O. Streams come one chunk at a time."""

    def __init__(self, chunks: int) -> None:
        self.stream = [WORD] * chunks + [FINISH, DONE]

    async def send(self, call: Call) -> Answer:
        """Answer at once."""
        return Answer(self.stream, "text/event-stream") if call.stream else Answer([WHOLE], "application/json")

    async def aclose(self) -> None:
        """Nothing is held."""


async def measure(requests: int, chunks: int) -> dict[str, float]:
    """Microseconds of CPU: per JSON request, per whole stream of no more than a few chunks, per chunk of a long one."""
    memory = Memory(chunks)
    router = Router(State(RoutingTable(Targets(("memory",))), {"memory": memory}))
    document = {"model": "memory/gpt-x", "messages": [{"role": "user", "content": "hello " * 40}], "temperature": 0.2}
    for _ in range(500):
        await router.complete(document)
    began = time.process_time()
    for _ in range(requests):
        await router.complete(document)
    json_us = (time.process_time() - began) / requests * 1e6
    began = time.process_time()
    stream = await router.stream(document)
    while await stream.read():
        pass
    stream_us = (time.process_time() - began) / chunks * 1e6
    memory.stream = [WORD] * 3 + [FINISH, DONE]
    began = time.process_time()
    for _ in range(requests):
        stream = await router.stream(document)
        while await stream.read():
            pass
    short_us = (time.process_time() - began) / requests * 1e6
    return {"json_us": round(json_us, 1), "stream_of_3_us": round(short_us, 1), "chunk_us": round(stream_us, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of the core, without any I/O")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=100_000)
    asked = parser.parse_args()
    print(json.dumps(asyncio.run(measure(asked.requests, asked.chunks))))


if __name__ == "__main__":
    main()
