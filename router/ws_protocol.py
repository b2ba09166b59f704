"""uvicorn's sans-I/O WebSocket protocol with a fragment cap, small kernel buffers, and 1001 at the end of a drain."""

import asyncio
import socket
from contextlib import suppress

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_FRAGMENTS = 1024
MOST_WAITING, SMALL_BYTES = 32, 64 * 1024  # messages that wait for the application while reading goes on
NOT_SENT_LOW_WATER_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 64 * 1024
GOODBYE_S = 0.5


class CappedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. Audio that waits in the kernel cannot be taken back, so little of it may wait there."""

    _deaf = False
    _said_goodbye = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        if not self._deaf:
            super().data_received(data)

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

    async def send(self, event: ASGISendEvent) -> None:
        """What the application says after our goodbye has nobody to hear it."""
        if not self._said_goodbye:
            await super().send(event)

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._said_goodbye = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOODBYE_S, self.transport.close)
