"""Rows of the fault matrix that an operator causes: reloads and signals."""

import concurrent.futures
import contextlib
import signal
import subprocess
import threading
import time

from . import figures
from .matrix import row
from .raw import ask_alone, chat, dial
from .street import PatientStreet, Street


def test_74_reloads_under_load_fail_no_request(street):
    statuses, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            told = ask_alone(street, "router/split", stream=False, user=f"u{len(statuses)}")
            statuses.append((told.status, told.words))

    loader = threading.Thread(target=load)
    loader.start()
    path = street.folder / "split.yaml"
    good = path.read_text()
    before, slowest_s = street.total("rr_config_reload_total"), 0.0
    try:
        for number in range(100):
            bad = ["router: [", good[: len(good) // 2], good.replace("weight: 50", "weight: 49"),
                   "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", 'router: "${RR_NOT_SET_ANYWHERE}"\n']  # fmt: skip
            text = good + f"# {number}\n" if number % 2 else bad[number // 2 % 5]
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.rename(path)
            done = street.total("rr_config_reload_total")
            street.process.send_signal(signal.SIGHUP)
            took_s = street.until(lambda done=done: street.total("rr_config_reload_total") > done, 5)
            slowest_s = max(slowest_s, took_s)
    finally:
        path.write_text(good)
        street.process.send_signal(signal.SIGHUP)
        stop.set()
        loader.join(10)
    assert set(statuses) == {(200, 60)}
    assert street.total("rr_config_reload_total") - before >= 100
    assert street.total("rr_config_reload_total", result="failure") >= 30
    street.until(lambda: "reload_error" not in street.client.get("/readyz").json(), 5)
    figures.keep(row(74), slowest_s * 1000, "ms a reload, of 100")


def test_73_sigterm_cuts_no_stream_and_exits_with_0(tmp_path):
    with PatientStreet(tmp_path) as street:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            asked = [pool.submit(ask_alone, street, f"east/slow-stream@t{n}") for n in range(50)]
            street.until(lambda: len(street.server.journal.seen) >= 50, 10)
            time.sleep(0.1)
            street.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            assert street.client.get("/readyz").status_code == 503
            told = [one.result() for one in asked]
        assert [(one.words, one.done) for one in told] == [(60, True)] * 50
        assert street.process.wait(12) == 0
        figures.keep(row(73), sum(not one.done for one in told), "of 50 streams cut")
        errors = street.stderr.read_text()
        assert "Traceback" not in errors


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
