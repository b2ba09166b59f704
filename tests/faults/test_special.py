"""Rows of the fault matrix that are no single request: pools, clients that misbehave, signals, reloads."""

import concurrent.futures
import contextlib
import json
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import httpx
import pytest

from router.upstreams.scripted import CANONICAL

from . import figures
from .checker import ask, check_settled, check_story, check_traces
from .matrix import ELSEWHERE
from .street import KEY, NO_PROXY, PROMPT, Street
from .toxics import Toxic

ROWS = {row.number: row for row in ELSEWHERE}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with Street(tmp_path_factory.mktemp("special")) as street:
        assert ask(street, "east/ok@warm").words == 60
        yield street
        check_traces(street)


def chat(model, *, stream=True, **fields):
    """A raw request."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": stream, **fields}
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def dial(street, *, receive_bytes=None):
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", street.port))
    return sock


def hang_up(sock, *, rst):
    if rst:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_10_a_stale_connection_is_replayed_and_nobody_notices(street):
    before = street.metrics()
    for number in range(60):
        told = ask(street, f"east/stale@keep{number % 2}", stream=False)
        assert (told.status, told.words, len(told.attempts)) == (200, 60, 1)
    check_settled(street, before, 60, 60)


def test_12_a_full_provider_is_a_short_queue_and_then_503(street):
    before = street.metrics()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask, street, f"narrow/stall-20@n{n}") for n in range(12)]
        told = [one.result() for one in asked]
    served = [one for one in told if one.words == 20]
    refused = [one for one in told if one.status == 503]
    assert len(served) + len(refused) == 12
    assert refused
    assert all(one.errors[0]["code"] == "router_overloaded" for one in refused)
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert max(one.seconds for one in told) < 2.5
    figures.keep("12 queue wait", max(one.seconds for one in refused) * 1000, "ms")
    check_settled(street, before, 12, sum(len(one.attempts) for one in told))


def test_45_a_burst_arrives_whole(street):
    told = ask(street, "east/burst-10000@burst")
    deltas = [choice for chunk in told.chunks for choice in chunk["choices"] if choice["delta"].get("content")]
    assert (told.status, len(deltas), told.done) == (200, 10_000, True)
    figures.keep("45 10,000 chunks", told.seconds * 1000, "ms")


@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize(("row", "model"), [(50, "east/slow-stream"), (51, "east/slow-json"), (51, "east/hang")])
def test_50_51_a_client_that_hangs_up_cancels_the_upstream(street, rst, row, model):
    mark = f"gone{row}{rst}{model[-4:]}"
    before = street.metrics()
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
    figures.keep(f"{row} {ROWS[row].fault}", took_s * 1000, "ms")
    check_settled(street, before, 1, 1)


def test_52_cancels_at_any_moment_leave_nothing(street):
    before, descriptors = street.metrics(), street.descriptors()
    for number in range(300):
        sock = dial(street)
        models = ["east/ok@x", "east/503@x", "narrow/slow-stream@x"]
        sock.sendall(chat(models[number % 3], stream=number % 2 == 0, models=["west/ok@x"]))
        time.sleep((number % 10) * 0.001)
        hang_up(sock, rst=number % 4 == 0)
    street.until(lambda: street.total("rr_inflight") == 0, 5)
    idle_pool = 24
    street.until(lambda: street.descriptors() <= descriptors + idle_pool, 3)
    grown = street.total("rr_requests_total") - sum(
        value for name, value in before.items() if name.startswith("rr_requests_total{")
    )
    assert grown <= 300
    assert ask(street, "narrow/ok@after").words == 60
    assert ask(street, "narrow/ok@after2").words == 60


def test_53_a_slow_reader_costs_no_memory(street):
    ask(street, "east/burst-20000@warm")
    before = street.resident_bytes()
    sock = dial(street, receive_bytes=4096)
    sock.sendall(chat("east/burst-200000@slowly"))
    time.sleep(1.5)
    grown = street.resident_bytes() - before
    figures.keep("53 memory of a slow reader", grown / 1024, "KiB")
    hang_up(sock, rst=True)
    assert grown < 6_000_000
    street.until(lambda: street.total("rr_inflight") == 0)


def test_55_slow_clients_hurt_nobody_else(street):
    quiet = min(ask(street, f"east/ok@q{n}", stream=False).seconds for n in range(5))
    slow = [dial(street) for _ in range(200)]
    for number, sock in enumerate(slow):
        half = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
        sock.sendall(half if number % 2 else half + b"content-length: 100\r\n\r\n{")
    busy = sorted(ask(street, f"east/ok@b{n}", stream=False).seconds for n in range(20))
    for sock in slow:
        sock.close()
    assert busy[-2] < max(4 * quiet, 0.1)
    figures.keep("55 others' slowest answer beside 200 slow clients", busy[-1] * 1000, "ms")


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
        figures.keep("56 a declared body of 100 MB", (time.monotonic() - began_s) * 1000, "ms")


def exchanged(street, raw, *, until=b"\r\n\r\n"):
    sock = dial(street)
    sock.sendall(raw)
    seen = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while until not in seen:
            piece = sock.recv(65536)
            if not piece:
                break
            seen += piece
    sock.close()
    return seen


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
    sock.sendall(body)
    assert b" 200 " in sock.recv(65536)
    sock.close()


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
    headers = {"content-type": "application/json"}
    for body in ODD_BODIES:
        reply = street.client.post("/v1/chat/completions", content=body, headers=headers)
        assert reply.status_code < 500, body[:100]
        if reply.status_code != 200:
            assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    for metadata in ODD_METADATA:
        told = ask(street, "east/ok@odd", stream=False, metadata=metadata)
        assert told.status in (200, 400)
        if told.status == 400:
            assert told.errors[0]["param"].startswith("metadata")


def test_10_fallback_never_changes_the_variant(street):
    """I10: who is assigned what does not depend on who answered."""
    for number in range(12):
        user = f"user-{number}"
        asked = {"model": "router/split", "user": user, "messages": [{"role": "user", "content": PROMPT}]}
        explained = street.client.post("/v1/router/explain", json=asked).json()["decision"]
        told = ask(street, "router/split", stream=number % 2 == 0, user=user)
        assert told.words == 60
        assert told.metadata["variant_id"] == explained["variant_id"]
        assert told.attempts[-1]["model"] == "east/ok@spare"


def test_an_answer_goes_on_where_it_was_cut_when_the_router_says_so(street):
    told = ask(street, "router/patched")
    check_story(street, told, "patched", continued=True)
    assert (told.text.split(), told.done) == (CANONICAL.split(), True)


def test_a_half_open_provider_is_an_idle_stream(street):
    proxy = street.toxic["halfopen"]
    sock = dial(street)
    sock.sendall(chat("halfopen/slow-stream@half"))
    while b"delta" not in sock.recv(65536):
        pass
    proxy.downstream = Toxic(half_open=True)
    seen = b""
    while piece := sock.recv(65536):
        seen += piece
        if b"stream_interrupted" in seen:
            break
    sock.close()
    assert b"idle_timeout" in seen
    assert b"[DONE]" not in seen


def test_12_another_provider_answers_while_one_is_full(street):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, street, f"narrow/slow-first-8@f{n}", f"east/ok@f{n}") for n in range(6)]
        told = [one.result() for one in asked]
    assert [one.words for one in told] == [60] * 6
    assert sum(one.outcomes[0] == "router_overloaded" for one in told) >= 2


@pytest.mark.parametrize(("provider", "whole"), [("latency", True), ("closing", True), ("limited", False)])
def test_a_spoiled_line_is_an_answer_or_one_error(street, provider, whole):
    told = ask(street, f"{provider}/ok@line{provider}")
    assert (told.words == 60 and told.done) is whole
    assert len(told.ends) == 1
    assert bool(told.errors) is not whole


def test_a_narrow_line_is_only_slow(street):
    told = ask(street, "band/ok@band")
    assert (told.words, told.done) == (60, True)


def test_17_an_outage_of_everything_is_not_made_worse(street):
    before = len(street.server.journal.seen)
    for number in range(40):
        assert ask(street, "east/503@total", "west/503@total", stream=number % 2 == 0).status == 503
    calls = len(street.server.journal.seen) - before
    assert calls <= 40 * 2
    figures.keep("17 calls a request in a total outage", calls / 40, "calls")


def test_11_without_file_descriptors_the_answer_is_503_and_then_all_is_well(tmp_path):
    with Street(tmp_path) as street:
        assert ask(street, "east/ok@before").words == 60
        soft, hard = resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE, (street.descriptors() + 6, hard))
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(ask_or_fail, street, f"east/slow-1@fd{n}") for n in range(20)]
            told = [one.result() for one in asked]
        assert any(status in (503, None) for status in told)
        assert all(status in (200, 503, 504, None) for status in told)
        resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        took_s = street.until(lambda: ask_or_fail(street, "west/ok@again") == 200, 3)
        figures.keep("11 well again after the lack of descriptors", took_s * 1000, "ms")
        assert street.process.poll() is None


def ask_or_fail(street, model):
    try:
        with httpx.Client(base_url=street.url, headers={"authorization": f"Bearer {KEY}"}, timeout=5, **NO_PROXY) as c:
            document = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            return c.post("/v1/chat/completions", json=document).status_code
    except httpx.HTTPError:
        return None


def test_74_reloads_under_load_fail_no_request(street):
    statuses, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            told = ask(street, "router/split", stream=False, user=f"u{len(statuses)}")
            statuses.append((told.status, told.words))

    loader = threading.Thread(target=load)
    loader.start()
    path = street.folder / "split.yaml"
    good = path.read_text()
    try:
        for number in range(30):
            bad = ["router: [", good[: len(good) // 2], good.replace("weight: 50", "weight: 49"),
                   "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", 'router: "${RR_NOT_SET_ANYWHERE}"\n']  # fmt: skip
            text = good + f"# {number}\n" if number % 2 else bad[number // 2 % 5]
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.rename(path)
            street.process.send_signal(signal.SIGHUP)
            time.sleep(0.03)
    finally:
        path.write_text(good)
        street.process.send_signal(signal.SIGHUP)
        stop.set()
        loader.join(10)
    assert set(statuses) == {(200, 60)}
    assert street.total("rr_config_reload_total", result="failure") > 0
    street.until(lambda: "reload_error" not in street.client.get("/readyz").json(), 5)
    figures.keep("74 failed requests in 30 reloads", 0, "requests")


def test_73_sigterm_cuts_no_stream_and_exits_with_0(tmp_path):
    with Street(tmp_path) as street:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(ask_alone, street, f"east/slow-stream@t{n}") for n in range(20)]
            street.until(lambda: len(street.server.journal.seen) >= 20, 10)
            time.sleep(0.1)
            street.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            assert street.client.get("/readyz").status_code == 503
            told = [one.result() for one in asked]
        assert [(one.words, one.done) for one in told] == [(60, True)] * 20
        assert street.process.wait(12) == 0
        errors = street.stderr.read_text()
        assert "Traceback" not in errors


def ask_alone(street, model):
    """On a connection of its own: one that is shared is closed by the drain."""
    with httpx.Client(
        base_url=street.url, headers={"authorization": f"Bearer {KEY}"}, timeout=20, **NO_PROXY
    ) as client:
        street_alone = type("Alone", (), {"client": client})
        return ask(street_alone, model)


def test_73_kill_9_of_a_stream_is_one_end_for_the_client(tmp_path):
    with Street(tmp_path) as street:
        sock = dial(street)
        sock.sendall(chat("east/slow-stream@kill"))
        while b"delta" not in sock.recv(65536):
            pass
        street.process.kill()
        with contextlib.suppress(ConnectionError, subprocess.TimeoutExpired):
            while sock.recv(65536):
                pass
        sock.close()
        street.until(lambda: street.journal("kill")[0].client_gone)
        assert street.process.wait(5) == -signal.SIGKILL
