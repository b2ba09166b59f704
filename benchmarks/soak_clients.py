"""The clients of a soak: what each asks for by chance, and how each request must have ended.

Every request ends in exactly one way: complete, one error event, one HTTP error, or the client has left. Anything else
is lost.
"""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from router.upstreams.scripted import CANONICAL

FAULTS = (
    "ok", "ok", "ok", "ok", "500", "503", "429", "auth", "context", "html", "error-json", "reset", "close", "hang",
    "slow-first-3", "cut-40", "reset-40", "stall-20", "finless-30", "role-then-die", "malformed-20", "error-first",
    "error-20", "no-done-close", "no-done-open", "empty", "odd-sse", "content-filter", "bomb-gzip", "huge-event",
    "big-headers", "no-usage", "late", "tool-cut",
)  # fmt: skip
SILENCE = "A" * 6400  # 100 ms of PCM at 24 kHz


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    turns: int = 0
    under_way: int = 0  # requests open now


async def ask(port: int, model: str, *, stream: bool, leave_after_s: float | None) -> str:
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
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
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


async def streamer(port: int, tally: Tally, seed: int, until_s: float) -> None:
    """One request after another, with faults by chance; some clients leave early."""
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        model = chance.choice(FAULTS)
        leaves = chance.uniform(0.0, 2.0) if chance.random() < 0.1 else None
        tally.under_way += 1
        try:
            async with asyncio.timeout(40):
                ended = await ask(port, model, stream=chance.random() < 0.8, leave_after_s=leaves)
        except (OSError, TimeoutError) as error:
            ended = f"lost: {type(error).__name__}"
        finally:
            tally.under_way -= 1
        if ended.startswith("lost"):
            tally.lost.append(f"{model}: {ended}")
        tally.ended[ended.partition(":")[0]] += 1
        await asyncio.sleep(chance.uniform(0.0, 0.5))


async def talker(port: int, tally: Tally, seed: int, until_s: float) -> None:
    """Sessions that ask in text, send silence, interrupt, and sometimes just leave."""
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        model = chance.choice(("ok", "ok", "500", "cut-40", "stall-20", "role-then-die"))
        try:
            async with (
                asyncio.timeout(40),
                connect(
                    f"ws://127.0.0.1:{port}/v1/realtime?model=east/{model}", max_size=None, open_timeout=None
                ) as socket,
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
