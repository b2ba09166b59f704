"""The server as an attacker, a slow client and an operator see it: raw sockets, real signals."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvloop
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from router.http_protocol import WireLimits
from router.listening import Binding, connection_limit, listeners
from router.server import Drain, Hooks, Settings, make_server, serve
from router.tls_dev import dev_certificate
from tests.router import serving

LIMITS = WireLimits(head_s=0.4, body_idle_s=0.4, body_bytes_per_s=1000, body_bytes=2_000_000)
ROOT = Path(__file__).parent.parent.parent


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
        self.settings = Settings(binding=settings.binding, drain=settings.drain, limits=settings.limits, hooks=hooks)
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


@pytest.fixture(scope="module")
def port():
    made = Running(Settings(binding=Binding(port=0), drain=Drain(0, 0.2, 0.2), limits=LIMITS))
    yield made.port
    made.stop()


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


POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
VECTORS = {
    "CL+TE": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE+CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "two Content-Lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "TE xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "TE chunked, identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "TE vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "CL plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "CL minus": (POST + b"Content-Length: -1\r\n\r\nabc", 400),
    "CL too long to be a number": (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "obs-fold": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
    "NUL in value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
    "CR in value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\nX: b\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "chunk size overflow": (POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc", 400),
    "chunk without CRLF": (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    "1 MB header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
    "1 MB header without end": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000, 431),
    "20 000 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 431),
    "101 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
    "33 KiB of headers": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 33_000 + b"\r\n\r\n", 431),
    "1 MB URI": (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    "unknown method": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a trailer flood": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431),
    "an endless trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 1_000_000, 431),
    "an endless chunk extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"y" * 1_000_000, 431),
    "a path that is not ASCII": (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "TLS on a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50, 400),
    "too long by length": (POST + b"Content-Length: 2000001\r\n\r\n", 413),
    "too long by chunks": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 130,
        413,
    ),
    "slow header": (b"GET / HTTP/1.1\r\nHost: a\r\n", 408),
    "slow body": (POST + b"Content-Length: 10\r\n\r\nabc", 408),
}


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_refused(port, name):
    raw, expected = VECTORS[name]
    seen = exchange(port, raw)
    assert status(seen) == expected
    assert seen.count(b"HTTP/1.1 ") == 1
    assert error_code(seen)


def test_a_head_that_drips_is_over_in_time_however_many_bytes_come(port):
    started_s = time.monotonic()
    with dial(port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for _ in range(20):
                sock.sendall(b"X: y\r\n")
                time.sleep(0.05)
        assert status(read_all(sock)) == 408
    assert 0.35 < time.monotonic() - started_s < 1.5


def test_a_body_that_drips_is_over_although_it_never_idles(port):
    started_s = time.monotonic()
    with dial(port) as sock:
        sock.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(30):
                sock.sendall(b"x")
                time.sleep(0.05)
        assert status(read_all(sock)) == 408
    assert 0.35 < time.monotonic() - started_s < 2


def test_a_body_that_keeps_its_pace_may_take_longer_than_the_timers(port):
    pieces = [b"x" * 400] * 10
    seen = exchange(port, POST + b"Connection: close\r\nContent-Length: 4000\r\n\r\n", *pieces, pause_s=0.1)
    assert seen.endswith(b"POST 4000\r\n0\r\n\r\n")


def test_a_connection_that_says_nothing_is_closed_without_a_word(port):
    started_s = time.monotonic()
    assert exchange(port) == b""
    assert 0.35 < time.monotonic() - started_s < 1


def test_line_breaks_between_messages_do_not_keep_a_connection_open(port):
    started_s = time.monotonic()
    with dial(port) as sock:
        with contextlib.suppress(OSError):
            for _ in range(20):
                sock.sendall(b"\r\n")
                time.sleep(0.05)
        assert status(read_all(sock)) in (0, 408)
    assert time.monotonic() - started_s < 1.5


def test_body_bytes_are_not_head_bytes_when_the_end_of_the_head_is_split(port):
    head = POST + b"Connection: close\r\nContent-Length: 1000000\r\n\r"
    seen = exchange(port, head, b"\n" + b"x" * 1_000_000, pause_s=0.05)
    assert (status(seen), seen.endswith(b"POST 1000000\r\n0\r\n\r\n")) == (200, True)


def test_the_counters_begin_anew_with_every_message(port):
    big = POST + b"X: " + b"a" * 20_000 + b"\r\nContent-Length: 3\r\n\r\nabc"
    seen = exchange(port, big, big, big, CLOSE, pause_s=0.02)
    assert seen.count(b"200 OK") == 4
    pipelined = exchange(port, big + big + CLOSE)
    assert pipelined.count(b"200 OK") == 3


def test_a_head_that_was_sent_before_is_served_with_every_further_body(port):
    def sized(body, extra=b""):
        return POST + extra + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    bodies = [b"a", b"b" * 12, b"", b"c" * 3000]
    seen = exchange(port, *map(sized, bodies), sized(b"de")[:-1], b"e", sized(b"f") + sized(b"gh"), CLOSE, pause_s=0.02)
    sizes = [int(piece.split(b"\r")[0]) for piece in seen.split(b"POST ")[1:]]
    assert sizes == [1, 12, 0, 3000, 2, 1, 2]
    assert seen.count(b"200 OK") == 8
    smuggled = exchange(port, sized(b"a"), sized(b"b", b"Transfer-Encoding: chunked\r\n"), CLOSE, pause_s=0.02)
    assert smuggled.count(b"200 OK") == 1
    assert b" 400 " in smuggled
    awaited = exchange(port, sized(b"a"), sized(b"b", b"Expect: 100-continue\r\n"), sized(b"c"), CLOSE, pause_s=0.02)
    assert awaited.count(b"200 OK") == 4


def test_names_with_an_underscore_are_dropped(port):
    raw = CLOSE.replace(b"GET / ", b"GET /names ").replace(b"Host", b"X_Real_IP: 1\r\nX-Real: 2\r\nHost")
    assert exchange(port, raw).endswith(b"x-real,host,connection\r\n0\r\n\r\n")


def test_trailers_do_not_become_headers(port):
    raw = (
        POST.replace(b"/ ", b"/names ")
        + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-late: 1\r\n\r\n"
    )
    assert b"x-late" not in exchange(port, raw)


def test_the_plain_cases_still_work(port):
    assert b"GET 0" in exchange(port, CLOSE)
    assert b"GET 0" in exchange(port, b"GET / HTTP/1.0\r\n\r\n")
    assert b"OPTIONS 0" in exchange(port, CLOSE.replace(b"GET", b"OPTIONS"))
    assert b"GET 0" in exchange(port, CLOSE.replace(b"GET / ", b"GET http://a/ "))
    head = exchange(port, CLOSE.replace(b"GET", b"HEAD"))
    assert (status(head), head.endswith(b"\r\n\r\n")) == (200, True)
    with dial(port) as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert b"POST 3" in read_all(sock)


def test_a_stream_outlives_both_timers(port):
    seen = exchange(port, CLOSE.replace(b"GET / ", b"GET /sse?24 "))
    assert seen.count(b"data: ") == 24


def test_a_half_request_behind_a_stream_does_not_cut_it(port):
    raw = b"GET /sse?24 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHo"
    seen = exchange(port, raw)
    assert seen.count(b"data: ") == 24
    assert b"HTTP/1.1 408" in seen.partition(b"0\r\n\r\n")[2]


def test_garbage_behind_a_stream_closes_it_without_a_second_head(port):
    seen = exchange(port, b"GET /sse?20 HTTP/1.1\r\nHost: a\r\n\r\n", b"FOO BAR\r\n\r\n", pause_s=0.1)
    assert seen.count(b"HTTP/1.1 ") == 1
    assert seen.count(b"data: ") < 20


def test_an_early_answer_and_then_a_slow_body_ends_without_a_second_head(port):
    seen = exchange(port, POST.replace(b"/ ", b"/early ") + b"Content-Length: 100\r\n\r\nabc")
    assert seen.count(b"HTTP/1.1 ") == 1
    assert status(seen) == 200


def test_an_application_learns_of_a_refused_body(port):
    before = serving.STATE["disconnects"]
    assert status(exchange(port, POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")) == 400
    deadline_s = time.monotonic() + 1
    while serving.STATE["disconnects"] == before and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert serving.STATE["disconnects"] == before + 1


def test_a_websocket_outlives_both_timers_and_caps_its_fragments(port):
    with connect(f"ws://127.0.0.1:{port}/", compression="deflate") as ws:
        time.sleep(0.9)
        ws.send("hello")
        assert ws.recv() == "hello"
        assert ws.protocol.extensions == []
        ws.send(["a", "b", "c"])
        assert ws.recv() == "abc"
        with pytest.raises(ConnectionClosed) as caught:  # noqa: PT012
            ws.send(["x"] * 5000)
            ws.recv()
        assert caught.value.rcvd.code == 1009


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
