"""Rows of the fault matrix that come from the machine: the clock, the processor, memory, disks and pipes."""

import asyncio
import concurrent.futures
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import statistics
import threading
import time
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
from websockets.sync.client import connect

from tests.realtime.voice_rig import grammar, words

from . import control_groups, figures
from .control_groups import Group
from .crowd import crowd
from .invariants import WORDS
from .matrix import row
from .raw import ask, chat, dial
from .street import KEY, NO_PROXY, TIMEOUTS, PatientStreet, Street
from .voice import BYTES_PER_WORD, VoiceStreet, asked

HOURS = 7200
AUTHORIZED = {"authorization": f"Bearer {KEY}"}


def faketime():
    """The library that lies about the time, if it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


class PatientVoices(VoiceStreet):
    """The same for those who speak."""

    timeouts = MappingProxyType(dict.fromkeys(TIMEOUTS, 20))


@pytest.fixture
def jumping(tmp_path):
    """A street and a function that moves its wall clock by so many seconds."""
    library = faketime()
    if library is None:
        pytest.skip("libfaketime is not installed")
    file = tmp_path / "clock"
    file.write_text("+0")
    environment = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}  # fmt: skip
    keys = "- {id: metered, secret: sk-canary-metered-1, rpm: 600, budget_usd_per_day: 5}"
    with PatientVoices(grammar(tmp_path), environment=environment, keys=keys) as street:
        street.until(lambda: ask(street, "west/ok@warm").status == 200, 15)

        def jump(offset_s):
            fresh = file.with_suffix(".new")
            fresh.write_text(f"{offset_s:+d}")
            fresh.rename(file)

        yield street, jump


def own_clock_s(street):
    """What the application takes for the time."""
    ask(street, "west/ok@clock", stream=False)
    return datetime.fromisoformat(street.client.get("/v1/router/requests").json()["data"][0]["time"]).timestamp()


def voice_url(street):
    return f"ws://127.0.0.1:{street.port}/v1/realtime?model=east/ok"


@pytest.mark.parametrize("hours", [-2, 2])
def test_76_the_wall_clock_jumps_and_nobody_is_stuck(jumping, hours):
    street, jump = jumping
    with concurrent.futures.ThreadPoolExecutor() as pool:
        streamed = pool.submit(ask, street, "east/slow-stream@jump")
        street.until(lambda: bool(street.journal("jump")), 5)
        jump(hours * 3600)
        told = streamed.result()
    street.until(lambda: abs(own_clock_s(street) - time.time() - hours * 3600) < 60, 15)
    assert (told.words, told.done) == (60, True)
    metered = {"authorization": "Bearer sk-canary-metered-1"}
    for _ in range(3):
        answer = ask(street, "east/ok@metered", stream=False, headers=metered)
        assert (answer.status, answer.words) == (200, 60)
        assert 0 <= int(answer.headers["x-ratelimit-remaining-requests"]) <= 600


@pytest.mark.parametrize("hours", [-2, 2])
async def test_76_the_wall_clock_jumps_in_a_spoken_reply_and_nobody_hears_it(jumping, hours):
    street, jump = jumping
    async with street.session("east/slow-stream@spoken") as client:
        await asked(client)
        await client.until("response.output_audio.delta")
        jump(hours * 3600)
        spoken = await client.done()
        await asyncio.to_thread(street.until, lambda: abs(own_clock_s(street) - time.time() - hours * 3600) < 60, 15)
        await asked(client)
        again = await client.done()
        times = [client.when(event) for event in client.of("response.output_audio.delta")]
        assert "closed" not in client.kinds()
    for response in (spoken, again):
        assert (response["status"], words(response).split()) == ("completed", WORDS)
    assert len(client.audio()) == 2 * len(WORDS) * BYTES_PER_WORD
    assert times == sorted(times)


def test_76_a_resting_target_comes_back_whatever_the_wall_clock_says(jumping):
    street, jump = jumping
    for offset_s in (-HOURS, HOURS):
        model = f"east/outage-1@rest{offset_s}"
        while ask(street, model, "west/ok@spare").outcomes[0] == "http_5xx":
            pass
        jump(offset_s)
        street.until(lambda offset_s=offset_s: abs(own_clock_s(street) - time.time() - offset_s) < 60, 15)
        began_s = time.monotonic()
        street.until(lambda model=model: ask(street, model, "west/ok@spare").attempts[0]["model"] == model, 5)
        figures.keep(row(76), (time.monotonic() - began_s) * 1000, "ms until a resting target is back")
    records = street.client.get("/v1/router/requests").json()["data"]
    assert min(attempt["duration_ms"] for record in records for attempt in record["metadata"]["attempts"]) >= 0


class Pulse(threading.Thread):
    """`with Pulse(street, session) as pulse`: asks for `/livez` and the voice session something, all the time."""

    def __init__(self, street, session):
        super().__init__()
        self.url = f"{street.url}/livez"
        self.session = session
        self.slowest_s = 0.0
        self.statuses = set()
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.1):
            began_s = time.monotonic()
            self.statuses.add(httpx.get(self.url, timeout=10, **NO_PROXY).status_code)  # on a connection of its own
            self.session.send('{"type": "session.update", "session": {"type": "realtime"}}')
            while "session.updated" not in self.session.recv(10):
                pass
            self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()


LOADS = {2: 0.7, 4: 0.5, 8: 0.35}  # times what it can take, and the share of that which is still answered


def test_77_more_load_than_a_starved_processor_can_take_is_refused_at_once_and_the_rest_answered(tmp_path):
    """Health checks and a voice session go on meanwhile."""
    if why := control_groups.why_not("cpu"):
        pytest.skip(why)
    with (
        Group("cpu") as group,
        PatientStreet(tmp_path, prefix=group.command) as street,
        connect(voice_url(street), additional_headers=AUTHORIZED) as session,
    ):
        assert ask(street, "east/ok@warm", stream=False).words == 60
        raw = chat("east/ok@load", stream=False)
        crowd(street, raw, seconds=1, workers=24)  # what is done once is no part of a peak
        group["cpu.cfs_quota_us"] = control_groups.PERIOD_US // 20
        peak = max(crowd(street, raw, seconds=2, workers=24)[1] for _ in range(2))
        for times, least in LOADS.items():
            with Pulse(street, session) as pulse:
                for _ in range(4):  # whoever answers more than his peak had been measured too low: ask for more
                    answers, rate = crowd(street, raw, seconds=4, per_second=times * peak)
                    refused = [one for one in answers if one.status == 503]
                    assert {one.status for one in answers} <= {200, 503}
                    peak = max(peak, rate)
                    share = rate / peak
                    if (refused or times == 2) and share >= least:
                        break
            assert refused or times == 2  # the peak of a machine with other work may have been half of what it can do
            assert share >= least
            assert all(one.retry_after for one in refused)
            waited_s = sorted(one.seconds for one in answers)[int(len(answers) * 0.99)]
            figures.keep(row(77, f"{times} times"), max(0.0, 100 - 100 * share), "% below what it can take")
            assert waited_s < 4
            assert pulse.statuses == {200}
            assert pulse.slowest_s < 4
        group["cpu.cfs_quota_us"] = -1
        assert ask(street, "east/ok@after", stream=False).seconds < 2
        assert street.total("rr_inflight") == 0


@pytest.mark.parametrize(("callers", "least"), [(200, 0.7), (600, 0.5)])
def test_77_callers_on_kept_connections_are_refused_by_the_share_that_is_too_much(tmp_path, callers, least):
    """They ask again at once whatever they were told, so that as many wait as there are.

    Each refusal costs a quarter of a request, and so many callers can be refused a thousand times a second.
    """
    if why := control_groups.why_not("cpu"):
        pytest.skip(why)
    with (
        Group("cpu") as group,
        PatientStreet(tmp_path, prefix=group.command) as street,
        connect(voice_url(street), additional_headers=AUTHORIZED) as session,
    ):
        raw = chat("east/ok@load", stream=False)
        crowd(street, raw, seconds=1, workers=64, kept=True)
        group["cpu.cfs_quota_us"] = control_groups.PERIOD_US // 10
        peak = max(crowd(street, raw, seconds=3, workers=64, kept=True)[1] for _ in range(2))
        with Pulse(street, session) as pulse:
            for _ in range(4):  # as above
                answers, rate = crowd(street, raw, seconds=6, workers=callers, kept=True)
                refused = [one for one in answers if one.status == 503]
                peak = max(peak, rate)
                if rate >= least * peak and (refused or callers == 200):
                    break
        group["cpu.cfs_quota_us"] = -1
        assert {one.status for one in answers} <= {200, 503}
        assert all(one.retry_after for one in refused)
        assert rate >= least * peak
        assert refused or callers == 200, "so few may just be waited for"
        figures.keep(row(77, f"{callers} callers"), max(0.0, 100 - 100 * rate / peak), "% below what it can take")
        assert statistics.median(one.seconds for one in refused or answers) < 2
        assert pulse.statuses == {200}
        assert pulse.slowest_s < 8
        street.until(lambda: ask(street, "east/ok@after", stream=False).status == 200, 4)
        assert street.total("rr_inflight") == 0
        assert street.total("rr_requests_total", error_class="shed") >= len(refused)


def test_77_callers_that_wait_for_a_slow_provider_are_no_load(tmp_path):
    with PatientStreet(tmp_path) as street:
        answers, _ = crowd(street, chat("east/slow-40@waits", stream=False), seconds=6, workers=300, kept=True)
    refused = sum(one.status != 200 for one in answers)
    figures.keep(row(77, "slow provider"), refused, f"of {len(answers)} refused")
    assert refused == 0


def test_77_a_loop_that_stood_still_sheds_and_is_well_again(street):
    street.process.send_signal(signal.SIGSTOP)
    waiting = [dial(street) for _ in range(20)]
    for number, sock in enumerate(waiting):
        sock.sendall(chat(f"east/ok@still{number}", stream=False))
    time.sleep(2)
    street.process.send_signal(signal.SIGCONT)
    began_s = time.monotonic()
    assert street.client.get("/livez").status_code == 200
    alive_s = time.monotonic() - began_s
    statuses = [int(sock.recv(4096).split()[1]) for sock in waiting]
    well_s = street.until(lambda: ask(street, "east/ok@well", stream=False).status == 200, 2)
    for sock in waiting:
        sock.close()
    figures.keep(row(77, "two seconds"), well_s * 1000, "ms until well again")
    assert set(statuses) <= {200, 503}
    assert alive_s < 1
    assert street.total("rr_inflight") == 0


def test_77_memory_at_its_limit_sheds_chat_and_nothing_else(tmp_path):
    if why := control_groups.why_not("memory"):
        pytest.skip(why)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    limit_bytes = 180_000_000
    with Group("memory") as group:
        group["memory.limit_in_bytes"] = limit_bytes
        with Street(tmp_path, prefix=group.command) as street, contextlib.ExitStack() as stack:
            assert ask(street, "east/ok@before").words == 60
            large = [stack.enter_context(dial(street)) for _ in range(6)]
            for one in large:
                one.sendall(f"{head}content-length: 32000000\r\n\r\n".encode())
            for _ in range(31):
                for one in large:  # bodies that grow and never end
                    if street.resident_bytes() < 0.94 * limit_bytes:
                        one.sendall(b" " * 1_000_000)
                        time.sleep(0.01)
            told = []
            street.until(lambda: told.append(ask(street, "east/ok@full")) or told[-1].status == 503, 3)
            assert told[-1].errors[0]["code"] == "router_overloaded"
            assert int(told[-1].headers["retry-after"]) >= 1
            assert street.client.get("/livez").status_code == 200
            with connect(voice_url(street), additional_headers=AUTHORIZED) as session:
                assert "session.created" in session.recv(5)
            for one in large:
                one.close()
            took_s = street.until(lambda: ask(street, "east/ok@free").status == 200, 3)
            figures.keep(row(77, "memory"), took_s * 1000, "ms until well again")
            assert street.process.poll() is None


def paired(usual, faulted, count=60):
    """How much longer a request takes there, in the median of pairs: both see what else the machine does."""
    took = [[ask(one, f"east/ok@pair{n}", stream=False).seconds for one in (usual, faulted)] for n in range(count)]
    return statistics.median(there - here for here, there in took) * 1000


def test_78_a_log_that_nobody_reads_delays_nobody_and_does_not_hold_up_the_end(street, tmp_path):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    try:
        with Street(tmp_path, log=writing) as blocked:
            crowd(blocked, chat("nobody/none"), seconds=1, workers=16)
            more_ms = paired(street, blocked)
            figures.keep(row(78, "pipe"), more_ms, "ms more a request")
            assert blocked.total("rr_inflight") == 0
            blocked.process.send_signal(signal.SIGTERM)
            assert blocked.process.wait(12) == 0, "the log held up the end"
    finally:
        os.close(reading)
        os.close(writing)
    assert more_ms < 5


def test_78_a_full_disk_takes_neither_log_nor_records_and_stops_nobody(street, tmp_path):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a disk of a test's own needs root and the program 'unshare'")
    script = 'mount -t tmpfs -o size=64k full disk && cat </dev/zero >disk/file; exec "$@" 2>disk/log'
    (tmp_path / "disk").mkdir()
    with FullStreet(tmp_path, prefix=("unshare", "-m", "sh", "-c", script, "sh")) as full:
        more_ms = paired(street, full)
        figures.keep(row(78, "disk"), more_ms, "ms more a request")
        full.until(lambda: full.total("rr_log_lines_dropped_total") >= 60, 3)
        full.until(lambda: full.total("rr_records_dropped_total") > 0, 3)  # its thread gathers rows before it tries
        assert full.total("rr_inflight") == 0
    assert more_ms < 5


class FullStreet(Street):
    """Its records are to be written to a disk that is full."""

    recorded = False

    records = "disk/records.db"


def test_78_a_collector_that_hangs_delays_nobody(street, tmp_path):
    if find_spec("opentelemetry.sdk") is None:
        pytest.skip("the extra 'otel' is not installed")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        silent.settimeout(5)
        collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
                     "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}  # fmt: skip
        with Street(tmp_path, environment=collector) as traced:
            more_ms = paired(street, traced)
            figures.keep(row(78, "OTLP"), more_ms, "ms more a request, tracing included")
            asked, _ = silent.accept()
            assert asked.recv(4096).startswith(b"POST ")
            asked.close()
            assert traced.total("rr_inflight") == 0
    assert more_ms < 10


def test_78_fifty_scrapes_at_once_delay_nobody_for_long(street):
    usual_s = statistics.median(ask(street, "east/ok@usual", stream=False).seconds for _ in range(30))
    scrape = f"GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n".encode()
    scrapers = [dial(street) for _ in range(50)]
    for sock in scrapers:
        sock.sendall(scrape)
    told = ask(street, "east/ok@scraped", stream=False)
    for sock in scrapers:
        with sock, sock.makefile("rb") as answer:
            assert b" 200 " in answer.readline()
    assert told.words == 60
    figures.keep(row(78, "scraped"), (told.seconds - usual_s) * 1000, "ms more behind fifty scrapes")
    assert told.seconds - usual_s < 1
