"""One request and its reply on one connection: the parser's callbacks below, the reader's view above.

No task and no queue: bytes are parsed where they arrive, body pieces wait in a list, and a reader that finds none
waits on one future. A connection goes back to the pool the moment its message is complete, and only then.
"""

import asyncio
from collections.abc import Callable, Mapping

import httptools

from policies import Outcome

from .base import UpstreamFault
from .connection import Connection
from .decoding import Inflater, inflater_for
from .plain import MAX_HEAD_BYTES, MAX_HEADERS, plain

HIGH_WATER_BYTES = 64 * 1024
STALE_S = 1.0


class StaleConnectionError(Exception):
    """A kept connection turned out to be closed before it carried a byte of the answer."""


class Exchange:
    """A `Reply`, once its head is there. `settle(connection | None)` is called exactly once: pool it, or it is cut."""

    def __init__(self, connection: Connection, settle: Callable[[Connection | None, Mapping[str, str]], None]) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._parsed: dict[str, str] = {}  # the same while a parser fills it
        self._connection: Connection | None = connection
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = None  # when there is something to parse
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._overhead = 0
        self._header_count = 0
        self._started_s = 0.0
        self.idle_s = 0.0
        self._touched = False
        self._head_done = False
        self._complete = False
        self._keep_alive = False
        self._until_eof = False
        self._paused = False
        self._fault: UpstreamFault | None = None
        self._inflater: Inflater | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], bool] | None = None  # while `pump` runs and wants more

    async def open(self, request: bytes, *, head_s: float, idle_s: float) -> None:
        """Send, and return when status and headers are there.

        Raises UpstreamFault, or StaleConnectionError when a used connection ended before the first byte.
        """
        connection = self._connection
        assert connection is not None  # noqa: S101  an exchange is opened once, right after it is made
        self.idle_s = idle_s
        self._started_s = self._loop.time()
        connection.carry(self, request)
        try:
            while not self._head_done and self._fault is None:
                await self._wait(head_s)
        except BaseException:
            self.close()
            raise
        if self._fault is not None and not self._head_done:
            if connection.uses > 1 and not self._touched and self._fault.outcome is Outcome.RESET_BEFORE_COMMIT:
                raise StaleConnectionError
            raise self._fault
        if "content-encoding" in self.headers:
            try:
                self._inflater = inflater_for(self.headers)
            except UpstreamFault:
                self.close()
                raise

    async def read(self) -> bytes:
        """See `Reply.read`. Cancelling a read leaves the exchange as it is: the next read goes on."""
        while True:
            inflater = self._inflater
            if inflater is not None and (decoded := inflater.take()):
                return decoded
            if self._chunks:
                data = self._drain()
                if inflater is None:
                    return data
                inflater.feed(data)
            elif self._fault is not None:
                raise self._fault
            elif self._complete:
                if inflater is not None:
                    inflater.finish()
                return b""
            elif self._connection is None:
                raise UpstreamFault(Outcome.CANCELLED_BY_CLIENT, "the reply was closed")
            else:
                await self._wait(self.idle_s)

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Hand what arrives to `take` where it arrives, until it says False, or until only `read` knows what to do.

        `take` is called from the connection and must not block. Raises nothing of its own; may be cancelled.
        """
        if self._inflater is not None:
            return
        while not (self._chunks and not take(self._drain())):
            if self._fault is not None or self._complete or self._connection is None:
                return
            self._take = take
            try:
                await self._wait(self.idle_s)
            finally:
                stopped, self._take = self._take is None, None
            if stopped:
                return

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """See `Reply.body`."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit_bytes:
            raise self._too_long(limit_bytes)
        if self._complete and self._inflater is None:
            whole = self._drain() if self._chunks else b""
            if len(whole) > limit_bytes:
                raise self._too_long(limit_bytes)
            return whole
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            size += len(piece)
            if size > limit_bytes:
                raise self._too_long(limit_bytes)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """See `Reply.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.cut()
            self._settle(None, self.headers)
        self._chunks.clear()

    def feed(self, data: bytes) -> None:
        """Bytes from the connection."""
        if not self._touched:
            self._touched = True
            if (answer := plain(data)) is not None:
                self._whole(*answer)
                return
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
            self.headers = self._parsed
        before, had_head = self._buffered, self._head_done
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                self._fail(self._fault or UpstreamFault(Outcome.MALFORMED_RESPONSE, f"not HTTP/1.1: {error!s:.200}"))
                return
            self._release(reusable=False)  # the answer is whole, what follows it is not an answer
        if self._fault is not None:
            self._fail(self._fault)
        elif self._complete:
            self._release(reusable=self._keep_alive)
        elif self._buffered == before:
            self._overhead = len(data) + (self._overhead if had_head is self._head_done else 0)
            if self._overhead > MAX_HEAD_BYTES:
                self._fail(UpstreamFault(Outcome.MALFORMED_RESPONSE, f"more than {MAX_HEAD_BYTES} bytes of framing"))
                return
        elif self._buffered > HIGH_WATER_BYTES and not self._paused and self._connection is not None:
            self._paused = True
            self._connection.pause()
        if self._take is not None and self._chunks:
            if not self._take(self._drain()):
                self._take = None
            elif not self._complete and self._connection is not None:
                self._connection.watch(self.idle_s)
                return
            self._wake()
        elif self._chunks or self._complete or had_head is not self._head_done:
            self._wake()

    def _whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """All of the answer is there."""
        self.status, self.headers = status, headers
        self._head_done = self._complete = self._keep_alive = True
        if body:
            self._chunks.append(body)
        self._release(reusable=True)
        self._wake()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._until_eof and self._head_done and error is None:
            self._complete = True
            self._release(reusable=False)
            self._wake()
        elif not self._head_done:
            late = self._touched or self._loop.time() - self._started_s > STALE_S
            self._touched = late  # a peer that thought about the request for a while was not stale
            self._fail(UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "the connection ended before the answer"))
        elif error is None:
            self._fail(UpstreamFault(Outcome.TRUNCATED, "the body ended before its announced end"))
        else:
            self._fail(UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "the connection was reset in the body"))

    def expired(self) -> None:
        """Nothing came in time."""
        if self._head_done:
            self._fail(UpstreamFault(Outcome.IDLE_TIMEOUT, f"nothing arrived for {self.idle_s:g} s"))
        else:
            self._fail(UpstreamFault(Outcome.HEADER_TIMEOUT, "no answer in time"))

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._overhead += len(name) + len(value) + 4
        if self._header_count > MAX_HEADERS or self._overhead > MAX_HEAD_BYTES:
            self._fault = UpstreamFault(Outcome.MALFORMED_RESPONSE, "the header block is too large")
            raise self._fault
        if self._head_done:
            return  # a trailer
        key = name.decode("ascii").lower()
        text = value.decode("latin-1")
        if not (text.isascii() and text.isprintable()):
            return  # never copied to anybody
        headers = self._parsed
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None  # noqa: S101  it is the parser that calls
        status = parser.get_status_code()
        if status < 200:
            self._parsed.clear()
            if status == 101:
                self._fault = UpstreamFault(Outcome.MALFORMED_RESPONSE, "the protocol was switched without being asked")
            return
        self.status = status
        self._head_done = True
        self._keep_alive = parser.should_keep_alive()  # the parser forgets it at the end of the message
        headers = self.headers
        self._until_eof = (
            "content-length" not in headers
            and "chunked" not in headers.get("transfer-encoding", "").lower()
            and status not in (204, 304)
        )

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self._head_done:
            self._complete = True

    async def _wait(self, seconds: float) -> None:
        connection = self._connection
        if connection is None:
            return
        self._waiter = self._loop.create_future()
        connection.watch(seconds)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if self._connection is connection:  # else it is in the pool or carries another call by now
                connection.unwatch()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _drain(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        if self._paused and self._connection is not None:
            self._paused = False
            self._connection.resume()
        return data

    def _release(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.unwatch()
        if reusable and connection.usable and not self._until_eof and not connection.unsent():
            if self._paused:
                connection.resume()
            self._settle(connection, self.headers)
        else:
            connection.cut()
            self._settle(None, self.headers)

    def _fail(self, fault: UpstreamFault) -> None:
        self._fault = fault
        self._release(reusable=False)
        self._wake()

    def _too_long(self, limit_bytes: int) -> UpstreamFault:
        self.close()
        outcome = Outcome.MALFORMED_RESPONSE if self._inflater is None else Outcome.DECODE_ERROR
        return UpstreamFault(outcome, f"the body is longer than {limit_bytes} bytes")
