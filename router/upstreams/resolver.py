"""Names to addresses: looked up in a thread of their own, kept for a few seconds, judged by the egress guard.

At most one lookup per host is under way, each in its own daemon thread, so a name server that hangs for one provider
takes no thread from another and does not hold up the end of the program.
"""

import asyncio
import socket
import threading
from contextlib import suppress

from policies import Outcome

from .base import UpstreamFault
from .egress import refusal

AddressInfo = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]
]
TTL_S = 10.0
NEGATIVE_TTL_S = 2.0


class Resolver:
    """Addresses of one host and port, allowed by the guard."""

    def __init__(self, host: str, port: int, *, allow_private: bool = False) -> None:
        self.host = host
        self.port = port
        self._allow_private = allow_private
        self._answer: list[AddressInfo] | UpstreamFault | None = None
        self._valid_until_s = 0.0
        self._pending: asyncio.Future[list[AddressInfo] | UpstreamFault] | None = None

    async def addresses(self) -> list[AddressInfo]:
        """Allowed addresses in the order of the name service; cached 10 s, failures 2 s.

        Raises UpstreamFault: `dns` when there is none, `connect_refused` when the guard refuses all of them.
        """
        loop = asyncio.get_running_loop()
        answer = self._answer
        if answer is None or loop.time() >= self._valid_until_s:
            answer = await asyncio.shield(self._lookup(loop))
        if isinstance(answer, UpstreamFault):
            raise UpstreamFault(answer.outcome, answer.message)
        return answer

    def forget(self) -> None:
        """Look up anew next time: none of the addresses answered."""
        self._valid_until_s = 0.0

    def _lookup(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[list[AddressInfo] | UpstreamFault]:
        if self._pending is not None and self._pending.get_loop() is loop:
            return self._pending
        future: asyncio.Future[list[AddressInfo] | UpstreamFault] = loop.create_future()
        self._pending = future

        def deliver(answer: list[AddressInfo] | UpstreamFault) -> None:
            self._pending = None
            self._answer = answer
            self._valid_until_s = loop.time() + (NEGATIVE_TTL_S if isinstance(answer, UpstreamFault) else TTL_S)
            if not future.done():
                future.set_result(answer)

        def look() -> None:
            answer = self._ask()
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(deliver, answer)

        threading.Thread(target=look, name=f"resolve {self.host}", daemon=True).start()
        return future

    def _ask(self) -> list[AddressInfo] | UpstreamFault:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a host name"
            return UpstreamFault(Outcome.DNS, f"host {self.host!r} cannot be resolved: {reason}")
        allowed: list[AddressInfo] = []
        reason = "it has no address"
        for info in found:
            refused = refusal(str(info[4][0]), allow_private=self._allow_private)
            if refused is None:
                allowed.append(info)  # type: ignore[arg-type]  # SOCK_STREAM over IP: never the packet form
            else:
                reason = f"its address is {refused}"
        if not allowed:
            return UpstreamFault(Outcome.CONNECT_REFUSED, f"host {self.host!r} refused by the egress guard: {reason}")
        return allowed
