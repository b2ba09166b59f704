"""The server in a thread of the test's process, and raw sockets to it."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from dataclasses import replace

import uvloop

from router.listening import listeners
from router.server import Hooks, make_server
from router.wire_limits import WireLimits

from . import serving

LIMITS = WireLimits(head_s=0.4, body_idle_s=0.4, body_bytes_per_s=1000, body_bytes=2_000_000)
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Running:
    """A server in a thread of this process."""

    def __init__(self, settings, loop_factory=uvloop.new_event_loop):
        self.port = 0
        self.drained = 0
        ready = threading.Event()

        def on_ready(port):
            self.port = port
            ready.set()

        def on_drain():
            self.drained += 1

        hooks = Hooks(on_ready=on_ready, on_drain=on_drain)
        self.settings = replace(settings, hooks=hooks)
        self.sockets = listeners(settings.binding)
        self.server = make_server(serving.echo, self.settings)

        def run():
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                self.loop = runner.get_loop()
                runner.run(self.server.serve(self.sockets))

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert ready.wait(5)

    def stop(self):
        self.loop.call_soon_threadsafe(self.server.end, False)
        self.thread.join(5)
        assert not self.thread.is_alive()


def dial(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_all(sock):
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            seen += piece
    return seen


def exchange(port, *pieces, pause_s=0.0):
    """Send, and read until the server closes."""
    with dial(port) as sock:
        for piece in pieces:
            with contextlib.suppress(OSError):
                sock.sendall(piece)
            if pause_s:
                time.sleep(pause_s)
        return read_all(sock)


def status(raw):
    return int(raw.split(b" ", 2)[1]) if raw else 0


def error_code(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert b"content-type: application/json" in head.lower()
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error["code"]
