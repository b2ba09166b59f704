"""The server as an operator sees it: limits, TLS, drain, workers, real signals."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uvloop
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from router.listening import Binding, connection_limit
from router.server import Drain, Settings, serve
from router.tls_dev import dev_certificate
from router.wire_limits import WireLimits

from . import serving
from .running import CLOSE, LIMITS, Running, dial, error_code, exchange, read_all

ROOT = Path(__file__).parent.parent.parent


def test_connections_beyond_the_limit_are_turned_away():
    limits = WireLimits(connections=2)
    made = Running(Settings(binding=Binding(port=0), limits=limits, drain=Drain(0, 0.1, 0.1)), asyncio.new_event_loop)
    try:
        with dial(made.port) as one, dial(made.port) as two:
            for sock in (one, two):
                sock.sendall(CLOSE.replace(b"close", b"keep-alive"))
                assert b"200 OK" in sock.recv(1000)
            assert error_code(exchange(made.port)) == "too_many_connections"
        assert connection_limit() >= 16
    finally:
        made.stop()


def test_tls_serves_with_the_development_certificate(tmp_path):
    certificate, key = dev_certificate(tmp_path)
    assert dev_certificate(tmp_path) == (certificate, key)
    assert key.stat().st_mode & 0o077 == 0
    binding = Binding(port=0, certificate=certificate, key=key)
    made = Running(Settings(binding=binding, drain=Drain(0, 0.1, 0.1), limits=LIMITS))
    try:
        client = ssl.create_default_context(cafile=str(certificate))
        with client.wrap_socket(dial(made.port), server_hostname="localhost") as sock:
            sock.sendall(CLOSE)
            assert b"GET 0" in read_all(sock)
        with client.wrap_socket(dial(made.port), server_hostname="localhost") as sock:
            sock.sendall(b"FOO / HTTP/1.1\r\n\r\n")
            assert error_code(read_all(sock)) == "invalid_http"
    finally:
        made.stop()


def test_an_address_in_use_is_an_error_that_names_it():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        number = held.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{number}"):
            serve(serving.echo, Settings(binding=Binding(port=number)))


class Program:
    """The server in a process of its own."""

    def __init__(self, workers=1, delay_s=0.0, requests_s=5.0, sockets_s=5.0):
        words = [str(word) for word in (workers, delay_s, requests_s, sockets_s)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.router.serving", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.port = self.expect("ready")

    def expect(self, word):
        """The rest of the next line, which must begin with `word`."""
        first, _, rest = self.process.stdout.readline().strip().partition(" ")
        assert first == word
        return int(rest or 0)

    def signal(self, number):
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)
        self.process.stdout.close()

    def exit_code(self, within_s):
        return self.process.wait(within_s)


def refused(port):
    try:
        dial(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_drain_lets_a_stream_and_a_websocket_finish_and_exits_with_zero():
    with Program(delay_s=0.3) as program, connect(f"ws://127.0.0.1:{program.port}/") as ws:
        with dial(program.port) as sock, dial(program.port) as idle:
            idle.sendall(CLOSE.replace(b"close", b"keep-alive"))
            assert b"200 OK" in idle.recv(1000)
            sock.sendall(b"GET /sse?30 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in sock.recv(1000)
            program.signal(signal.SIGHUP)
            program.expect("reload")
            program.signal(signal.SIGTERM)
            program.expect("draining")
            assert b"connection: close" in exchange(program.port, CLOSE.replace(b"close", b"keep-alive"))
            time.sleep(0.45)
            assert refused(program.port)
            assert b"HTTP" not in read_all(idle)
            assert read_all(sock).count(b"data: ") >= 28
        ws.send("still here")
        assert ws.recv() == "still here"
        ws.close()
        assert program.exit_code(2) == 0
        program.expect("flushed")


def test_a_drain_ends_at_its_deadlines():
    with Program(requests_s=0.3, sockets_s=0.8) as program, connect(f"ws://127.0.0.1:{program.port}/") as ws:
        program.signal(signal.SIGTERM)
        started_s = time.monotonic()
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd.code == 1001
        assert 0.7 < time.monotonic() - started_s < 1.6
        assert program.exit_code(3) == 0


def test_a_second_sigterm_means_now():
    with Program(delay_s=30, requests_s=30, sockets_s=30) as program, dial(program.port) as sock:
        sock.sendall(b"GET /sse?600 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in sock.recv(1000)
        program.signal(signal.SIGTERM)
        program.expect("draining")
        program.signal(signal.SIGTERM)
        assert program.exit_code(2) == 0


def children(pid):
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_workers_share_a_port_and_a_killed_one_is_replaced():
    with Program(workers=2) as program:
        before = children(program.process.pid)
        assert len(before) == 2
        killed = min(before)
        os.kill(int(killed), signal.SIGKILL)
        program.expect("reload")  # the replacement is ready
        assert len(children(program.process.pid) - {killed}) == 2
        for _ in range(10):
            assert b"GET 0" in exchange(program.port, CLOSE)
        program.signal(signal.SIGHUP)
        program.expect("reload")
        program.expect("reload")
        program.signal(signal.SIGTERM)
        assert program.exit_code(5) == 0
        assert program.process.stdout.read().count("flushed") == 2
        assert refused(program.port)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_drain_waits_for_what_runs_and_then_says_1001(loop_factory):
    made = Running(Settings(binding=Binding(port=0), drain=Drain(0, 2, 0.6)), loop_factory)
    with connect(f"ws://127.0.0.1:{made.port}/") as ws, dial(made.port) as sock:
        sock.sendall(b"GET /sse?8 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in sock.recv(1000)
        made.loop.call_soon_threadsafe(made.server.end)
        assert read_all(sock).count(b"data: ") >= 7
        assert made.drained == 1
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd.code == 1001
    made.thread.join(3)
    assert not made.thread.is_alive()


def test_a_server_outlives_the_shell_that_started_it(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from router.server import Drain, Hooks, Settings, serve
from router.listening import Binding
from tests.router import serving
ready = lambda port: print(port, flush=True)
serve(serving.echo, Settings(binding=Binding(port=0), drain=Drain(0, 1, 1), hooks=Hooks(on_ready=ready)))
"""
    (tmp_path / "serve.py").write_text(script)
    shell = f"{sys.executable} {tmp_path}/serve.py >{tmp_path}/port 2>{tmp_path}/log & echo $!"
    pid = int(subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout)
    try:
        deadline = time.monotonic() + 10
        while not (port := (tmp_path / "port").read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2.5)  # the shell is gone, and the server has looked after its supervisor twice
        with socket.create_connection(("127.0.0.1", int(port)), 2) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        os.kill(pid, signal.SIGTERM)
