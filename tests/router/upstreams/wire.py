"""A raw upstream on loopback: each connection runs a script that writes exactly the bytes the test wants."""

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

Script = Callable[["Peer"], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Peer:
    """One accepted connection."""

    def __init__(self, reader, writer, number):
        self.reader, self.writer, self.number = reader, writer, number

    async def request(self) -> bytes:
        """Head and body of the next request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head)
        return head + (await self.reader.readexactly(int(found[1])) if found else b"")

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Until the client has closed."""
        while await self.reader.read(65536):
            pass


class Wire:
    """What the listener has seen."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.closed = asyncio.Event()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self.open += 1
        peer = Peer(reader, writer, self.connections)
        asked = peer.request

        async def request() -> bytes:
            seen = await asked()
            self.requests.append(seen)
            return seen

        peer.request = request
        try:
            await self.script(peer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self.closed.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def wire(script: Script, **options) -> AsyncIterator[Wire]:
    seen = Wire(script)
    tasks = set()

    def accept(reader, writer):
        task = asyncio.get_running_loop().create_task(seen._serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, options.pop("host", "127.0.0.1"), 0, limit=2**20, **options)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(*pieces: bytes, then=None, pause_s: float = 0.0) -> Script:
    """Answer every request of a connection with these pieces; `then` is called with the peer afterwards."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for piece in pieces:
                peer.write(piece)
                if pause_s:
                    await asyncio.sleep(pause_s)
            if then is not None:
                await peer.writer.drain()
                then(peer)
                return

    return script
