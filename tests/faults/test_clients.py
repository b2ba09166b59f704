"""Rows of the fault matrix that a client causes: hanging up, reading slowly, sending nonsense."""

import asyncio
import contextlib
import random
import resource
import time

import pytest

from tests.router.vectors import VECTORS

from . import figures
from .matrix import row as row_of
from .raw import ask, chat, dial, exchanged, hang_up
from .street import KEY, Street


@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(("row", "model"), [(50, "east/slow-stream"), (51, "east/slow-json"), (51, "east/hang")])
def test_50_51_a_client_that_hangs_up_cancels_the_upstream(street, rst, row, model):
    mark = f"gone{row}{rst}{model[-4:]}"
    sock = dial(street)
    sock.sendall(chat(f"{model}@{mark}", stream=row == 50))
    street.until(lambda: street.journal(mark))
    if row == 50:
        while b"delta" not in sock.recv(65536):
            pass
    else:
        time.sleep(0.05)
    hang_up(sock, rst=rst)
    took_s = street.until(lambda: street.journal(mark)[0].client_gone)
    assert took_s < 0.5
    figures.keep(row_of(row), took_s * 1000, "ms")


def test_52_cancels_at_any_moment_leave_nothing(street):
    """Ten thousand callers, forty at once, each gone at a random moment of a call, a fallback or a wait for a slot."""
    street.until(lambda: street.total("rr_inflight") == 0, 5)  # what earlier tests left behind is not counted
    before, descriptors = street.metrics(), street.descriptors()
    chance = random.Random(52)
    models = ("east/ok@x", "east/503@x", "narrow/slow-stream@x", "resetting/ok@x")

    async def hurried(number):
        street.witness.statuses([None])
        _, writer = await asyncio.open_connection("127.0.0.1", street.port)
        writer.write(chat(models[number % 4], stream=number % 2 == 0, models=["west/ok@x"]))
        await asyncio.sleep(chance.random() * 0.02)
        if number % 3 == 0:
            writer.transport.abort()
        writer.close()

    async def crowd():
        for start in range(0, 10_000, 40):
            await asyncio.gather(*(hurried(number) for number in range(start, start + 40)))

    asyncio.run(crowd())
    street.until(lambda: street.total("rr_inflight") == 0, 5)
    idle_pool = 4 * 40  # connections to providers may wait for the next call
    street.until(lambda: street.descriptors() <= descriptors + idle_pool, 5)
    grown = street.total("rr_requests_total") - total(before, "rr_requests_total")
    cancelled = street.total("rr_requests_total", outcome="cancelled")
    assert 1000 < cancelled <= grown <= 10_000
    assert ask(street, "narrow/ok@after").words == 60
    assert ask(street, "narrow/ok@after2").words == 60
    figures.keep(row_of(52), street.total("rr_inflight"), "of 10,000 still in flight")


def total(exposition, name):
    return sum(value for series, value in exposition.items() if series.partition("{")[0] == name)


def test_53_a_slow_reader_costs_no_memory(street):
    ask(street, "east/burst-20000@warm")
    before = street.resident_bytes()
    sock = dial(street, receive_bytes=4096)
    sock.sendall(chat("east/burst-200000@slowly"))
    time.sleep(1.5)
    grown = street.resident_bytes() - before
    figures.keep(row_of(53), grown / 1024, "KiB more")
    hang_up(sock, rst=True)
    assert grown < 6_000_000
    street.until(lambda: street.total("rr_inflight") == 0)


@contextlib.contextmanager
def descriptors(count):
    """So many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_55_slow_clients_hurt_nobody_else(street, tmp_path):
    """Five hundred heads and five hundred bodies, a byte a second; the timer for a head is the real one, ten seconds.

    Others are compared with those of a second router that nobody is slow to, asked by turns: both see the machine.
    """
    with descriptors(4096), Street(tmp_path) as quiet:
        for _ in range(3):  # a machine with other work may spoil a round
            worst = besieged(street, quiet)
            if worst <= 2:
                break
        assert quiet.total("rr_inflight") == 0
    figures.keep(row_of(55), worst, "times others' p99 without them")
    assert worst <= 2


def besieged(street, quiet):
    """How many times longer others wait than with the quiet one, in the 99th percentile."""
    half = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    heads, bodies = ([dial(street) for _ in range(500)] for _ in range(2))
    began_s = time.monotonic()
    for sock in heads:
        sock.sendall(half + b"x-slow: ")
    for sock in bodies:
        sock.sendall(half + b"content-length: 100\r\n\r\n{")
    took, trickled_s = {street: [], quiet: []}, began_s
    while (now_s := time.monotonic()) < began_s + 9.5:
        if now_s - trickled_s > 1:
            trickled_s = now_s
            for sock in (*heads, *bodies):
                sock.sendall(b" ")
        for one, seconds in took.items():
            seconds.append(ask(one, "east/ok@b", stream=False).seconds)
        time.sleep(0.02)
    answers = [sock.recv(4096) for sock in heads]
    late_s = time.monotonic() - began_s
    for sock in (*heads, *bodies):
        sock.close()
    assert {answer.split(b" ")[1] for answer in answers} == {b"408"}
    assert late_s < 13
    here, there = (sorted(seconds)[int(len(seconds) * 0.99)] for seconds in took.values())
    return here / there


@pytest.mark.parametrize("kind", ["length", "chunked", "lying"])
def test_56_a_huge_body_is_refused_at_once(street, kind):
    sock = dial(street)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    began_s = time.monotonic()
    with contextlib.suppress(OSError):
        if kind == "length":
            sock.sendall(f"{head}content-length: 100000000\r\n\r\n".encode())
        elif kind == "chunked":
            sock.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
            for _ in range(40):
                sock.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        else:
            sock.sendall(f"{head}content-length: 5\r\n\r\n".encode() + b"x" * 1_000_000)
    answer = b""
    with contextlib.suppress(OSError):
        answer = sock.recv(65536)
    sock.close()
    wanted = b"400" if kind == "lying" else b"413"
    assert answer == b"" or answer.split(b" ")[1] == wanted, answer[:200]
    if kind == "length":
        assert answer
        figures.keep(row_of(56), (time.monotonic() - began_s) * 1000, "ms")


def test_57_no_smuggled_request_reaches_a_provider(street):
    """The slow ones among the vectors have rows of their own: 55, and in the server's own tests."""
    before, calls = street.metrics(), len(street.server.journal.seen)
    quick = {name: raw for name, (raw, status) in VECTORS.items() if status != 408 and "too long by" not in name}
    answers = {name: exchanged(street, raw) for name, raw in quick.items()}
    taken = [name for name, answer in answers.items() if answer[9:10] != b"4"]
    assert len(quick) >= 25
    assert taken == []
    assert len(street.server.journal.seen) == calls
    assert street.total("rr_attempts_total") == total(before, "rr_attempts_total")
    assert street.total("rr_inflight") == 0
    figures.keep(row_of(57), len(taken), f"of {len(quick)} taken")


def test_58_odd_but_right_requests_are_answered(street):
    two = exchanged(street, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /version HTTP/1.1\r\nhost: x\r\n\r\n",
                    until=b"configuration_hash")  # fmt: skip
    assert two.count(b"HTTP/1.1 200") == 2
    head = exchanged(street, b"HEAD /livez HTTP/1.1\r\nhost: x\r\n\r\n")
    assert head.split(b"\r\n\r\n")[1] == b""
    assert b" 200 " in exchanged(street, b"GET /livez HTTP/1.0\r\nhost: x\r\n\r\n")
    assert b" 200 " in exchanged(street, b"GET http://x/livez HTTP/1.1\r\nhost: x\r\n\r\n")
    options = exchanged(street, b"OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: x\r\norigin: https://a.example\r\n"
                                b"access-control-request-method: POST\r\n\r\n")  # fmt: skip
    assert options.split(b" ")[1] in (b"200", b"204")
    patient = chat("east/ok@expect", stream=False)
    first, _, body = patient.partition(b"\r\n\r\n")
    sock = dial(street)
    sock.sendall(first + b"\r\nexpect: 100-continue\r\n\r\n")
    assert sock.recv(100).startswith(b"HTTP/1.1 100")
    began_s = time.monotonic()
    sock.sendall(body)
    assert b" 200 " in sock.recv(65536)
    sock.close()
    figures.keep(row_of(58), (time.monotonic() - began_s) * 1000, "ms from the awaited body to its answer")


ODD_BODIES = [
    b'{"model": "east/ok@odd", "messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"model": "east/ok@odd", "messages": [{"role": "user", "content": "\\u0000"}]}',
    b'{"model": "east/ok@odd", "model": "east/ok@odd", "messages": []}',
    b'{"model": "east/ok@odd", "messages": [], "temperature": NaN}',
    b'{"model": "east/ok@odd", "messages": [], "n": ' + b"9" * 100_000 + b"}",
    b"[" * 100_000,
    b'{"model": "east/ok@odd", "messages": [{"role": "user", "content": ' + b"[" * 2000 + b"]" * 2000 + b"}]}",
    b"\xff\xfe",
    b"",
    b"null",
    b'{"model": "east/ok\\u0000@odd", "messages": [{"role": "user", "content": "x"}]}',
    b'{"model": "east/ok\\r\\nx: y", "messages": [{"role": "user", "content": "x"}]}',
]
ODD_METADATA = [{f"k{n}": "v" for n in range(17)}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": 1}, [], "x", {"k": None}]


def test_59_odd_documents_are_the_clients_mistake(street):
    headers, statuses = {"content-type": "application/json"}, []
    for body in ODD_BODIES:
        reply = street.client.post("/v1/chat/completions", content=body, headers=headers)
        statuses.append(reply.status_code)
        assert reply.status_code < 500, body[:100]
        if reply.status_code != 200:
            assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    for metadata in ODD_METADATA:
        told = ask(street, "east/ok@odd", stream=False, metadata=metadata)
        assert told.status in (200, 400)
        if told.status == 400:
            assert told.errors[0]["param"].startswith("metadata")
        statuses.append(told.status)
    figures.keep(row_of(59), sum(status >= 500 for status in statuses), f"of {len(statuses)} a 5xx")
