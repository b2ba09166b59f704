"""Over a real socket: bodies beyond the cap, clients that hang up, slow readers, pipelining."""

import contextlib
import json
import re
import socket
import time
from urllib.parse import urlsplit

import pytest

from router.proxy import Caps

from .house import house, served

AUTH = b"Host: x\r\nAuthorization: Bearer secret-web\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def place():
    app, scripted = house(caps=Caps(body_bytes=1_000_000))
    with served(app) as url:
        yield urlsplit(url).port, app, scripted


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def post(document, path=b"/v1/chat/completions"):
    body = json.dumps(document).encode()
    return b"POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (path, AUTH, len(body), body)


def read_all(sock):
    """Everything to the end; a reset behind an answer is an end too (the server did not read the body out)."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def chat(model, **more):
    return {"model": model, "messages": [{"role": "user", "content": "count to 400"}], **more}


def test_a_declared_100_mb_body_is_413_before_a_byte_of_it_is_sent(place):
    with connect(place[0]) as sock:
        started_s = time.monotonic()
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n" + AUTH + b"Content-Length: 104857600\r\n\r\n")
        head = sock.recv(4096)
        took_s = time.monotonic() - started_s
        head += read_all(sock)
    assert head.startswith(b"HTTP/1.1 413")
    assert b'"request_too_large"' in head
    assert took_s < 0.5


def test_a_chunked_body_is_413_once_it_passes_the_cap(place):
    with connect(place[0]) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(16):  # 16 x 64 KiB is just beyond the cap; the body never ends
            sock.sendall(piece)
        head = read_all(sock)
    assert head.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_cancels_the_upstream(place, stream):
    port, app, _ = place
    health = app.site.router.health
    with connect(port) as sock:
        sock.sendall(post(chat("demo/slow", stream=stream)))
        wait_until(lambda: health.in_flight().get("demo/slow"))
    started_s = time.monotonic()
    wait_until(lambda: not health.in_flight().get("demo/slow"))
    assert time.monotonic() - started_s < 0.5


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (b"/v1/chat/completions", chat("demo/smart", stream=True)),
        (b"/v1/messages", chat("demo/smart", stream=True, max_tokens=99)),
        (b"/v1/responses", {"model": "demo/smart", "input": "hi", "stream": True}),
    ],
)
def test_a_client_that_hangs_up_in_the_stream_cancels_it_too(place, path, document):
    port, app, _ = place
    health = app.site.router.health
    with connect(port) as sock:
        sock.sendall(post(document, path))
        assert b"200 OK" in sock.recv(65536)
    started_s = time.monotonic()
    wait_until(lambda: not health.in_flight().get("demo/smart"))
    assert time.monotonic() - started_s < 0.5


def test_requests_in_a_pipeline_are_answered_in_turn(place):
    last = post({}, b"/v1/embeddings").replace(b"Host: x", b"Host: x\r\nConnection: close")
    with connect(place[0]) as sock:
        sock.sendall(post(chat("nobody/x")) + post({"model": "demo/fast", "input": "x"}, b"/v1/embeddings") + last)
        data = read_all(sock)
    assert re.findall(rb"HTTP/1.1 (\d+)", data) == [b"404", b"200", b"400"]


def wait_until(true, timeout_s=5.0):
    ends_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends_s, "it did not happen in time"
        time.sleep(0.005)
