"""The server as an attacker and a slow client see it: raw sockets."""

import contextlib
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from router.listening import Binding
from router.server import Drain, Settings
from router.turnstile import Refusals

from . import serving
from .running import CLOSE, LIMITS, Running, dial, error_code, exchange, read_all, status
from .vectors import POST, VECTORS


@pytest.fixture(scope="module")
def port():
    made = Running(Settings(binding=Binding(port=0), drain=Drain(0, 0.2, 0.2), limits=LIMITS))
    yield made.port
    made.stop()


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


def test_under_overload_a_share_of_the_calls_on_a_kept_connection_is_refused_unread():
    told = []
    refusals = Refusals({b"/"}, told.append)
    made = Running(Settings(binding=Binding(port=0), drain=Drain(0, 0.2, 0.2), limits=LIMITS, refusals=refusals))
    call = POST + b"Content-Length: 1\r\n\r\na"
    try:
        assert exchange(made.port, *[call] * 4, CLOSE, pause_s=0.05).count(b"200 OK") == 5
        refusals.shedding.share = 0.5
        seen = exchange(made.port, *[call] * 9, CLOSE, pause_s=0.05)
        elsewhere = exchange(made.port, *[call.replace(b"POST /", b"POST /names")] * 4, CLOSE, pause_s=0.05)
    finally:
        made.stop()
    assert (seen.count(b"200 OK"), seen.count(b" 503 ")) == (6, 4)  # the first and the last are no repetitions
    assert seen.count(b"retry-after: 1\r\n") == seen.count(b'"code":"router_overloaded"') == 4
    assert elsewhere.count(b"200 OK") == 5, "only calls of models are refused"
    assert sum(told) == 4


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
