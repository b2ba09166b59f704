"""Overload before it is felt: connections that nobody has time to accept are refused at the listening socket.

The event loop takes one connection a round between other work, so under more load than it can take the queue grows in
the kernel, where no lag of the loop shows it, and every caller in it waits until he gives up. What has waited too long
there is accepted here and answered 503 without being understood: a small part of what a request costs. Only whole
requests to `paths` are refused; health checks, voice and whatever else go on to the server. A queue is too long when it
has not been short for `PATIENCE_S`, by as much as the server does not take in `WAIT_S` (after CoDel, RFC 8289).
While rounds are long a few more are taken in each, so that nobody waits behind calls on connections that are kept; what
is too much of those is refused by the protocol, with the answer made here.
Linux only, and not behind TLS, where a refusal would cost the handshake.
"""

import asyncio
import random
import re
import socket
import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import orjson

from .shedding import Shedding

TICK_S = 0.05
PATIENCE_S = 0.4
WAIT_S = 0.4
FEW = 16  # connections that are no queue
MOST_AT_ONCE = 256  # refused in one tick, so that nobody waits for refusals either
PEEK_BYTES = 65536
_HEAD = re.compile(rb"POST ([^ ?]+)[ ?].*?\r\ncontent-length: *([0-9]{1,6})\r\n", re.DOTALL | re.IGNORECASE)
_ERROR = {
    "message": "The router is overloaded (more connections than it can take); try again in a moment.",
    "type": "overloaded_error",
    "param": None,
    "code": "router_overloaded",
}
_BODY = orjson.dumps({"type": "error", "error": _ERROR})  # to be read by clients of OpenAI's and of Anthropic's
_HEADERS = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\nretry-after: 1\r\n"
    b"access-control-allow-origin: *\r\n" % len(_BODY)
)
_LAST = b"x-request-id: req_%024x\r\n\r\n" + _BODY
_CLOSING = _HEADERS + b"connection: close\r\n" + _LAST
_KEEPING = _HEADERS + _LAST


@dataclass(slots=True)
class Refusals:
    """What may be refused (paths without a query), who is told how many were, and how late the server is.

    `counted` are refusals that nobody has been told of yet, `taken` the connections that the server has ever had.
    """

    paths: Collection[bytes] = frozenset()
    told: Callable[[int], None] = lambda _count: None
    shedding: Shedding = field(default_factory=Shedding)
    counted: int = 0
    taken: int = 0

    def answer(self) -> bytes | None:
        """The refusal of the next call on a kept connection, if it is one of those that are too many."""
        if not self.shedding.refuses():
            return None
        self.counted += 1
        return _KEEPING % random.getrandbits(96)

    def tell(self) -> None:
        """Tell of what was counted."""
        count, self.counted = self.counted, 0
        if count:
            self.told(count)


class Queue:
    """Whether a queue is too long, and by how much; pure, the clock is handed in."""

    def __init__(self) -> None:
        self._long_s: float | None = None  # how long it has not been short, as far as somebody looked
        self._looked_s = 0.0
        self._seen_s: float | None = None
        self._taken = 0
        self._rate = 0.0  # taken a second

    def excess(self, waiting: int, taken: int, now_s: float) -> int:
        """How many to refuse now; `taken` counts all the server has ever accepted."""
        if self._seen_s is None:
            self._seen_s, self._taken = now_s, taken
        elif (passed_s := now_s - self._seen_s) >= PATIENCE_S:
            self._rate = (taken - self._taken) / passed_s
            self._seen_s, self._taken = now_s, taken
        looked_s, self._looked_s = self._looked_s, now_s
        if waiting <= FEW:
            self._long_s = None
            return 0
        # A process that stood still has had no time to take anybody: of a pause only two ticks count.
        self._long_s = 0.0 if self._long_s is None else self._long_s + min(now_s - looked_s, 2 * TICK_S)
        if self._long_s < PATIENCE_S:
            return 0
        return max(0, waiting - max(FEW, round(self._rate * WAIT_S)))


class Turnstile:
    """Watches listening sockets. `protocol` gives the server a connection that is not refused."""

    def __init__(
        self, listening: Sequence[socket.socket], refusals: Refusals, *, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._queues = [(sock, Queue()) for sock in listening]
        self._refusals = refusals
        self._protocol = protocol

    async def run(self) -> None:
        """Look at the queues until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                due_s = loop.time() + TICK_S
                await asyncio.sleep(TICK_S)
                busy = loop.time() > due_s + TICK_S
                for sock, queue in self._queues:
                    excess = queue.excess(waiting(sock), self._refusals.taken, loop.time())
                    excess = min(excess, MOST_AT_ONCE)
                    self._take(sock, group, excess, excess + FEW if busy else excess)
                self._refusals.tell()

    def _take(self, sock: socket.socket, group: asyncio.TaskGroup, excess: int, count: int) -> None:
        """Accept so many, if they are there, of which so many are too many: who is not refused is the server's."""
        for number in range(count):
            try:
                caller, _ = sock.accept()
            except OSError:  # nobody is left, or no descriptor
                return
            caller.setblocking(False)
            too_many = number < excess or self._refusals.shedding.refuses()
            if too_many and self._refuse(caller):
                self._refusals.counted += 1
            else:
                group.create_task(self._hand_over(caller))

    def _refuse(self, caller: socket.socket) -> bool:
        """Whether this caller was sent away; who has asked for nothing yet, or for something else, was not."""
        try:
            size = whole(caller.recv(PEEK_BYTES, socket.MSG_PEEK), self._refusals.paths)
            if size:
                caller.recv(size)  # a close with unread bytes would reset the answer away
                caller.send(_CLOSING % random.getrandbits(96))
                caller.close()
        except OSError:  # nothing has come, or the caller has gone: the server's to find out
            return False
        return size > 0

    async def _hand_over(self, caller: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, caller)
        except OSError:
            caller.close()


def whole(data: bytes, paths: Collection[bytes]) -> int:
    """The size of a request to one of these paths when `data` is that request, whole, and nothing else; else 0."""
    end = data.find(b"\r\n\r\n") + 4
    found = _HEAD.match(data, 0, end) if end > 3 else None
    fits = found is not None and found[1] in paths and len(data) == end + int(found[2])
    return len(data) if fits else 0


def waiting(sock: socket.socket) -> int:
    """How many connections wait to be accepted; for a listening socket, Linux keeps that in `tcpi_unacked`."""
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    found: int = struct.unpack_from("=I", told, 24)[0]
    return found
