"""uvicorn's sans-I/O WebSocket protocol with a fragment cap, small kernel buffers, and 1001 at the end of a drain.

Voice sends fifty small text frames a second, so there is a short way for them: a whole text frame of one read is cut
out here, and an application that asked for it (extension `SHORT_WAY` of the scope) is called with it at once, without
a queue and a task switch. Every other frame goes through the library's parser, whole, and through the queue.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import OPEN

from .ws_frames import WHOLE_TEXT, apply_mask, head_at, text_head
from .ws_large import LargeText
from .ws_short_way import SHORT_WAY, ShortWay, Taker
from .ws_tide import Tide

MAX_FRAGMENTS = 1024
MOST_WAITING, SMALL_BYTES = 32, 64 * 1024  # messages that wait for the application while reading goes on
SOUND_BYTES = 200  # less is no audio: a word of the client's, which does not wait for a tide
NOT_SENT_LOW_WATER_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 64 * 1024
GOODBYE_S = 0.5
LARGE_BYTES = 256 * 1024
LARGE_TEXT = "router.large_text"  # a message's key instead of `text`, for whoever has a taker: ASCII, a bytearray


class CappedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. Audio that waits in the kernel cannot be taken back, so little of it may wait there."""

    _deaf = False
    _said_goodbye = False
    _aligned = False  # the parser stands between two frames, or `_due` bytes before that
    _due = 0
    _head = b""  # the beginning of a frame's head
    _large: LargeText | None = None
    taker: Taker | None = None
    hurried = False
    _tide: Tide | None = None
    _late: list[bytes]  # read, and not looked at
    _late_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._late = []
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        tide = self._tide
        waits = tide is not None and tide.wait_s and not self.hurried and len(data) >= SOUND_BYTES
        if waits and self._late_bytes < SMALL_BYTES:
            self._late_bytes += len(data)
            self._late.append(data)
            if len(self._late) == 1 and tide is not None:
                tide.add(self)
            return
        if self._late:
            self.catch_up()
        self._look_at(data)

    def take_with(self, taker: Taker | None, tide: Tide | None) -> None:
        """See `ShortWay.offer_to`."""
        self.catch_up()
        for one, change in ((self._tide, -1), (tide, 1)):
            if one is not None:
                one.change(change)
        self.taker, self._tide = taker, tide

    def catch_up(self) -> None:
        """Look at what was read and put aside."""
        late, self._late, self._late_bytes = self._late, [], 0
        if late:
            self._look_at(late[0] if len(late) == 1 else b"".join(late))

    def eof_received(self) -> None:
        self.catch_up()
        super().eof_received()

    def _look_at(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._aligned:
            self._cut(data)
            return
        first = not self.handshake_initiated
        super().data_received(data)
        self._aligned = first and self.handshake_initiated and data.find(b"\r\n\r\n") == len(data) - 4

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast("dict[str, dict[str, object]]", self.scope["extensions"])
            extensions[SHORT_WAY] = {"way": ShortWay(self)}

    def connection_lost(self, exc: Exception | None) -> None:
        self.take_with(None, None)
        if self.handshake_initiated and hasattr(self, "scope"):
            self.scope["extensions"].pop(SHORT_WAY, None)  # a circle is broken
        super().connection_lost(exc)

    def _cut(self, data: bytes) -> None:
        """Take whole text frames out of a read; the parser gets the others, always from one boundary to the next."""
        if self._head:
            data, self._head = self._head + data, b""
        at, size = 0, len(data)
        if self._large is not None:
            at = self._grow(self._large, data, 0)
        if self._due:
            at = min(self._due, size)
            self._due -= at
            super().data_received(data[:at] if at < size else data)
        while at < size and not self._deaf and not self.transport.is_closing():
            head = head_at(data, at)
            if head is None:
                self._head = data[at:]
                return
            first, masked, start, end = head
            if first == WHOLE_TEXT and masked and end <= size and self._takes_text(end - start):
                self._take_text(apply_mask(data[start:end], data[start - 4 : start]))
            elif first == WHOLE_TEXT and masked and self._takes_large(end - start):
                end = self._grow(LargeText(end - start, data[start - 4 : start]), data, start)
            else:
                self._due = max(0, end - size)
                super().data_received(data[at:end])
            at = end

    def _grow(self, large: LargeText, data: bytes, at: int) -> int:
        """Take what a read has of a large text, and hand it on when that was the end of it; where it ends."""
        end = large.take(data, at)
        self._large = large if large.due else None
        if not large.due and large.text.isascii():
            self.queue.put_nowait({"type": "websocket.receive", LARGE_TEXT: large.text})  # type: ignore[arg-type]
            self._pause()
        elif not large.due:
            self.curr_msg_data_type = "text"
            self.frames = [bytes(large.text)]
            self.send_receive_event_to_app()
        return end

    def _takes_large(self, size_bytes: int) -> bool:
        return size_bytes > LARGE_BYTES and self.taker is not None and self._takes(size_bytes)

    def _takes_text(self, size_bytes: int) -> bool:
        return size_bytes <= SMALL_BYTES and self._takes(size_bytes)

    def _takes(self, size_bytes: int) -> bool:
        conn = self.conn
        return (
            size_bytes <= self.config.ws_max_size
            and conn.state is OPEN
            and conn.current_size is None  # not inside a message of several frames
            and not self.close_sent
        )

    def _take_text(self, text: bytes) -> None:
        if self.taker is not None and not self.read_paused and self.queue.empty() and self.taker(text):
            return
        self.curr_msg_data_type = "text"
        self.frames = [text]
        self.send_receive_event_to_app()

    def write_texts(self, texts: Sequence[bytes]) -> bool:
        """See `ShortWay.write`."""
        if self.close_sent or self.disconnected or self.conn.state is not OPEN or not self.writable.is_set():
            return False
        self.transport.write(b"".join([part for text in texts for part in (text_head(len(text)), text)]))
        return True

    def send_receive_event_to_app(self) -> None:
        """Hand a message on. uvicorn stops reading after each one; small ones may wait in a short queue instead."""
        if not self.read_paused and self.queue.qsize() < MOST_WAITING and sum(map(len, self.frames)) < SMALL_BYTES:
            self.read_paused = True  # so that nobody pauses
            self._deliver()
            self.read_paused = False
            return
        self._deliver()

    def handle_cont(self, event: Frame) -> None:
        if self._deaf:
            return
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
            return
        self._deaf = True  # a close with unread bytes would reset the reason away
        self.frames = []
        self.conn.fail(1009, "too many fragments")
        self._say_goodbye(1009, "too many fragments")

    def _deliver(self) -> None:
        """A whole message is there. Text that is no UTF-8 ends the connection with 1007 and is nobody's traceback."""
        if self.curr_msg_data_type != "text" or self.close_sent:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        self._pause()

    def _pause(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def shutdown(self) -> None:
        """The drain is over: 1001 (going away), where uvicorn would say 1012."""
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
            return
        self.stop_keepalive()
        self.conn.send_close(1001, "going away")
        self._say_goodbye(1001, "going away")

    def keepalive_timeout(self) -> None:
        """The client answers no ping: closed, and what the application still says goes nowhere."""
        super().keepalive_timeout()
        self._said_goodbye = self._said_goodbye or self.close_sent

    async def send(self, event: ASGISendEvent) -> None:
        """What the application says after our goodbye has nobody to hear it."""
        if not self._said_goodbye:
            await super().send(event)
        if event["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # refused in full: else it is called an error of the application

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._said_goodbye = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.close)
