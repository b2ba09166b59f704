"""A TCP proxy that spoils what passes: toxiproxy's eight toxics, and a half-open peer.

`upstream` is the direction towards the server, `downstream` the one towards the client; a toxic acts downstream unless
said otherwise. Toxics may be changed while connections are open; they act on what comes after.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass

CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Toxic:
    """What a direction suffers; the fields that are not set do nothing."""

    latency_s: float = 0.0  # every piece comes later
    jitter_s: float = 0.0
    bandwidth_bytes_per_s: float = 0.0  # 0: unlimited
    slow_close_s: float = 0.0  # the end of the stream is passed on later
    timeout_s: float | None = None  # nothing passes; closed after so long (0: never)
    reset_peer_s: float | None = None  # RST after so long
    slice_bytes: int = 0  # pieces are cut into such small ones
    slice_delay_s: float = 0.0
    limit_bytes: int | None = None  # closed after so many
    half_open: bool = False  # swallows everything, also the end


CLEAN = Toxic()


class ToxicProxy:
    """`async with ToxicProxy(port) as proxy`: listens on `proxy.port`, connects to `127.0.0.1:port`."""

    def __init__(self, server_port, *, downstream=CLEAN, upstream=CLEAN, down=False, seed=0):
        self.server_port = server_port
        self.downstream = downstream
        self.upstream = upstream
        self.down = down  # connections are refused: accepted and reset at once, before a byte is read
        self.port = 0
        self.links = set()
        self.accepted = 0
        self._chance = random.Random(seed)
        self._server = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for link in list(self.links):
            link.cancel()
        await asyncio.gather(*self.links, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.accepted += 1
        link = asyncio.current_task()
        self.links.add(link)
        try:
            if self.down:
                reset(writer)
                return
            await self._link(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.links.discard(link)
            writer.transport.abort()

    async def _link(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, lambda: self.upstream))
                group.create_task(self._pass(there, writer, lambda: self.downstream))
        except BaseExceptionGroup as several:
            if not all(isinstance(one, OSError) for one in several.exceptions):
                raise
        finally:
            back.transport.abort()

    async def _pass(self, source, sink, toxic):
        passed = 0
        while True:
            piece = await source.read(CHUNK_BYTES)
            now = toxic()
            if now.half_open:
                await asyncio.Event().wait()
            if now.timeout_s is not None:
                await self._silence(sink, now.timeout_s)
            if now.reset_peer_s is not None:
                await asyncio.sleep(now.reset_peer_s)
                reset(sink)
                raise ConnectionResetError
            if not piece:
                await asyncio.sleep(now.slow_close_s)
                with contextlib.suppress(OSError, RuntimeError):
                    sink.write_eof()
                return
            if now.limit_bytes is not None and passed + len(piece) >= now.limit_bytes:
                await self._write(sink, piece[: now.limit_bytes - passed], now)
                sink.close()
                raise ConnectionResetError
            passed += len(piece)
            await self._write(sink, piece, now)

    async def _write(self, sink, piece, toxic):
        if toxic.latency_s:
            await asyncio.sleep(max(0.0, toxic.latency_s + toxic.jitter_s * (2 * self._chance.random() - 1)))
        size = toxic.slice_bytes or len(piece) or 1
        for start in range(0, len(piece), size):
            part = piece[start : start + size]
            sink.write(part)
            await sink.drain()
            if toxic.slice_bytes:
                await asyncio.sleep(toxic.slice_delay_s)
            if toxic.bandwidth_bytes_per_s:
                await asyncio.sleep(len(part) / toxic.bandwidth_bytes_per_s)

    @staticmethod
    async def _silence(sink, timeout_s):
        if timeout_s == 0:
            await asyncio.Event().wait()
        await asyncio.sleep(timeout_s)
        sink.close()
        raise ConnectionResetError


def reset(writer):
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
