"""Many callers in a process of their own, so that they do not slow down the provider whose loop the tests share.

`python -m tests.faults.crowd PORT WORKERS PER_SECOND SECONDS`, the request on stdin: so many workers that wait for
their answers, or so many requests a second whatever comes back, each on a connection of its own. With `kept` behind it,
each worker keeps one connection and asks again on it as soon as it is answered, whatever the answer. Every answer is a
row of the printed list: when it was asked, its status (None: none within ten seconds), the seconds, Retry-After.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from typing import NamedTuple

PATIENCE_S = 10
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")


class Answer(NamedTuple):
    """One of them."""

    asked_s: float
    status: int | None
    seconds: float
    retry_after: bool


class Caller(asyncio.Protocol):
    """Asks once."""

    def __init__(self, raw, answers):
        self.raw, self.answers = raw, answers
        self.asked_s = time.monotonic()
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.raw)

    def data_received(self, data):
        self.end(int(data[9:12]), retry_after=b"\r\nretry-after:" in data)
        self.transport.close()

    def connection_lost(self, _):
        self.end(None)

    def end(self, status, *, retry_after=False):
        if not self.over.done():
            self.over.set_result(None)
            self.answers.append(Answer(self.asked_s, status, time.monotonic() - self.asked_s, retry_after))


class Regular(asyncio.Protocol):
    """Asks again on the same connection, without a pause, until the time is over."""

    def __init__(self, raw, answers, ends_s):
        self.raw, self.answers, self.ends_s = raw, answers, ends_s
        self.heard = b""
        self.asked_s = self.transport = None
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self._ask()

    def data_received(self, data):
        self.heard += data
        head, _, body = self.heard.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._told(int(head[9:12]), retry_after=b"\r\nretry-after:" in head)
        if time.monotonic() < self.ends_s and b"\r\nconnection: close" not in head:
            self._ask()
        else:
            self.transport.close()

    def connection_lost(self, _):
        self.end()

    def end(self):
        if self.asked_s is not None:
            self._told(None)
        if self.transport is not None:
            self.transport.abort()
        if not self.over.done():
            self.over.set_result(None)

    def _ask(self):
        self.heard, self.asked_s = b"", time.monotonic()
        self.transport.write(self.raw)

    def _told(self, status, *, retry_after=False):
        self.answers.append(Answer(self.asked_s, status, time.monotonic() - self.asked_s, retry_after))
        self.asked_s = None


async def stay(port, raw, answers, ends_s):
    while time.monotonic() < ends_s:
        regular = Regular(raw, answers, ends_s)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(ends_s + PATIENCE_S - time.monotonic()):
                await asyncio.get_running_loop().create_connection(lambda one=regular: one, "127.0.0.1", port)
                await regular.over
        regular.end()


async def visit(port, raw, answers):
    caller = Caller(raw, answers)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().create_connection(lambda: caller, "127.0.0.1", port)
            await asyncio.shield(caller.over)
    except (OSError, TimeoutError):
        caller.end(None)


async def run(port, workers, per_second, seconds, raw, *, kept=False):
    answers, began_s = [], time.monotonic()
    ends_s = began_s + seconds

    async def work():
        while time.monotonic() < ends_s:
            await visit(port, raw, answers)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(stay(port, raw, answers, ends_s) if kept else work())
        sent = 0
        while per_second and (now_s := time.monotonic()) < ends_s:
            while sent < (now_s - began_s) * per_second:
                group.create_task(visit(port, raw, answers))
                sent += 1
            await asyncio.sleep(0.002)
    return [began_s, answers]


def crowd(street, raw, *, seconds, workers=0, per_second=0.0, kept=False):
    """Every answer, and how many a second were 200 while the crowd came."""
    command = [sys.executable, "-m", "tests.faults.crowd", str(street.port), str(workers)]
    command += [str(per_second), str(seconds), *["kept"] * kept]
    done = subprocess.run(command, input=raw, capture_output=True, timeout=seconds + 3 * PATIENCE_S, check=True)
    began_s, answers = json.loads(done.stdout)
    answers = [Answer(*one) for one in answers]
    street.witness.statuses([one.status for one in answers])
    in_time = sum(one.status == 200 and one.asked_s + one.seconds < began_s + seconds for one in answers)
    return answers, in_time / seconds


if __name__ == "__main__":
    port, workers, per_second, seconds, *how = sys.argv[1:]
    asked = run(
        int(port), int(workers), float(per_second), float(seconds), sys.stdin.buffer.read(), kept=how == ["kept"]
    )
    print(json.dumps(asyncio.run(asked)))
