"""uvicorn's sans-I/O WebSocket protocol with a fragment cap, small kernel buffers, and 1001 at the end of a drain."""

import asyncio
import socket
from contextlib import suppress

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_FRAGMENTS = 1024
NOT_SENT_LOW_WATER_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 64 * 1024


class CappedWebSocket(WebSocketsSansIOProtocol):
    """One WebSocket. Audio that waits in the kernel cannot be taken back, so little of it may wait there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_LOW_WATER_BYTES)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self._give_up(1009, "too many fragments")
            return
        super().handle_cont(event)

    def shutdown(self) -> None:
        """The drain is over: 1001 (going away), where uvicorn would say 1012."""
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self._give_up(1001, "going away")
        else:
            super().shutdown()

    def _give_up(self, code: int, reason: str) -> None:
        if self.close_sent:
            return
        self.frames = []
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
