"""A program that does one thing for us in a process of its own, spoken to over pipes.

To it: one command byte, a 4-byte little-endian length, the payload. From it: lines of JSON, each optionally followed by
as many raw bytes as its "bytes" says. Answers carry the number of the request, so a request given up leaves no trace.
No task and no thread is needed on our side: the event loop calls in when something arrives.
"""

import asyncio
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from policies import Outcome
from router.upstreams.base import UpstreamFault

MAX_LINE_BYTES = 1 << 20
Answer = tuple[dict[str, Any], bytes]
Notice = Callable[[dict[str, Any]], None]


class Worker(asyncio.SubprocessProtocol):
    """One running program. Create with `start`."""

    def __init__(self, name: str, backlog_bytes: int) -> None:
        self.name = name
        self.backlog_bytes = backlog_bytes
        self.on_notice: Notice | None = None  # lines that answer nothing (partial texts)
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._header: dict[str, Any] | None = None
        self._number = 0
        self._open: dict[int, asyncio.Future[Answer]] = {}
        self._gone = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(cls, program: Path, *arguments: str, backlog_bytes: int = 4 << 20) -> "Worker":
        """Run a Python file of ours with this interpreter. Raises UpstreamFault when it cannot be started."""
        loop = asyncio.get_running_loop()
        worker = cls(program.stem, backlog_bytes)
        try:
            await loop.subprocess_exec(
                lambda: worker,
                sys.executable,
                "-P",  # the file's folder is not a place to import from
                str(program),
                *arguments,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise UpstreamFault(Outcome.CONNECT_REFUSED, f"cannot start {worker.name!r}: {error.strerror}") from error
        return worker

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The program runs."""
        # Not isinstance: uvloop's transports are of their own kind.
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002  there is only stdout
        """Bytes of answers."""
        self._received += data
        while self._next_answer():
            pass

    def _next_answer(self) -> bool:
        if self._header is None:
            end = self._received.find(b"\n")
            if end < 0:
                if len(self._received) > MAX_LINE_BYTES:
                    self._fail("sent an endless line")
                return False
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._header = json.loads(line)
        size = int(self._header.get("bytes", 0))
        if len(self._received) < size:
            return False
        header, self._header = self._header, None
        body = bytes(self._received[:size])
        del self._received[:size]
        waiting = self._open.pop(header.get("n", 0), None)
        if waiting is not None and not waiting.done():
            waiting.set_result((header, body))
        elif "n" not in header and self.on_notice is not None:
            self.on_notice(header)
        return True

    def process_exited(self) -> None:
        """The program has ended, wanted or not."""
        self._fail("ended")
        if self._transport is not None:
            self._transport.close()
        if not self._gone.done():
            self._gone.set_result(None)

    def _fail(self, what: str) -> None:
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(UpstreamFault(Outcome.RESET_AFTER_COMMIT, f"the worker {self.name!r} {what}"))
        self._open.clear()

    # Called by us.

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        stdin, transport = self._stdin, self._transport
        running = transport is not None and transport.get_returncode() is None
        return running and stdin is not None and not stdin.is_closing()

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._transport.get_pid() if self._transport else None

    def tell(self, command: bytes, payload: bytes = b"") -> None:
        """A command without answer. Never blocks. Raises UpstreamFault when the program died or does not keep up."""
        if not self.alive or self._stdin is None:
            raise UpstreamFault(Outcome.RESET_AFTER_COMMIT, f"the worker {self.name!r} has died")
        if self._stdin.get_write_buffer_size() > self.backlog_bytes:
            raise UpstreamFault(Outcome.OVERLOADED, f"the worker {self.name!r} does not keep up")
        self._stdin.write(command + struct.pack("<I", len(payload)) + payload)

    async def ask(self, command: bytes, payload: bytes = b"", *, timeout_s: float = 30.0) -> Answer:
        """A command and its answer. Giving up is safe: a late answer is dropped."""
        self._number += 1
        number = self._number
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[number] = waiting
        try:
            self.tell(command, struct.pack("<I", number) + payload)
            async with asyncio.timeout(timeout_s):
                header, body = await waiting
        except TimeoutError as error:
            raise UpstreamFault(Outcome.IDLE_TIMEOUT, f"no answer from {self.name!r} within {timeout_s:g} s") from error
        finally:
            self._open.pop(number, None)
        if "error" in header:
            raise UpstreamFault(Outcome.OTHER, f"{self.name!r}: {header['error']}")
        return header, body

    def kill(self) -> None:
        """End it now."""
        if self._transport is not None:
            if self._transport.get_returncode() is None:
                self._transport.kill()
            self._transport.close()

    async def aclose(self) -> None:
        """End it and wait until it is gone."""
        self.kill()
        if self._transport is not None:
            await self._gone
