"""`serve`: flags over file, no open router beyond loopback, ready with words, reload, a clean end."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from realtime.serving import Wanted, binding_of, refusal_of, run, with_local_ollama
from realtime.welcome import shown
from router.config import load
from router.proxy import access_of
from router.server import Binding

ROOT = Path(__file__).parent.parent.parent
KEY = "auth: {keys: [{id: web, secret: '12345678', rpm: 60, write: true}]}\n"


def configured(tmp_path, text=""):
    path = tmp_path / "server.yml"
    path.write_text(text)
    return load(path, {})


def test_flags_win_over_the_file(tmp_path):
    config = configured(tmp_path, "server: {host: 127.0.0.2, port: 1, workers: 3}\n")
    assert binding_of(Wanted(), config) == Binding("127.0.0.2", 1, 3)
    assert binding_of(Wanted(host="::1", port=0, workers=2), config) == Binding("::1", 0, 2)


def test_a_development_certificate_is_made_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    binding = binding_of(Wanted(tls_dev=True), configured(tmp_path))
    assert binding.certificate.is_file()
    assert binding.key.is_file()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_without_keys_loopback_is_served(tmp_path, host):
    assert refusal_of(Binding(host), configured(tmp_path)) is None


def test_without_keys_nothing_else_is_served_and_with_keys_it_is(tmp_path):
    assert "Add auth.keys" in refusal_of(Binding("0.0.0.0"), configured(tmp_path))
    assert refusal_of(Binding("0.0.0.0"), configured(tmp_path, KEY)) is None


def test_keys_reach_the_door_with_their_limits(tmp_path):
    (key,) = access_of(configured(tmp_path, KEY).auth).keys
    assert (key.id, key.secret, key.write, key.allowance.rpm) == ("web", "12345678", True, 60)


def test_ollama_is_added_only_when_no_file_says_and_it_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("realtime.serving.ollama_answers", lambda: True)
    assert "ollama" in with_local_ollama(load(None, {}), {}).providers
    assert "ollama" not in with_local_ollama(load(None, {}), {"RR_NO_OLLAMA": "1"}).providers
    assert "ollama" not in with_local_ollama(configured(tmp_path), {}).providers


def test_addresses_are_shown_as_one_types_them():
    assert (shown(Binding("::1")), shown(Binding("127.0.0.1"))) == ("[::1]", "127.0.0.1")
    assert (shown(Binding("::")), shown(Binding("0.0.0.0"))) == ("[::1]", "127.0.0.1")


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        (Wanted(log_level="loud"), 2, "log level is one of"),
        (Wanted(config=Path("/nonexistent.yaml")), 1, "cannot be read"),
        (Wanted(host="0.0.0.0"), 2, "not a loopback address"),
    ],
)
def test_what_cannot_be_served_is_said(wanted, code, message, capsys, monkeypatch):
    monkeypatch.setattr("realtime.serving.ollama_answers", lambda: False)
    assert run(wanted, {}) == code
    assert message in capsys.readouterr().err


def environment(folder):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RR_") and not k.endswith("_API_KEY")}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), "RR_NO_OLLAMA": "1", "COLUMNS": "200"}


@contextlib.contextmanager
def serving(folder, *flags):
    """A server in its own process; yields the process and its address."""
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", *flags]
    with (folder / "err.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert select.select([process.stdout], [], [], 30)[0], (folder / "err.log").read_text()
            yield process, re.search(r"ready at (\S+)", process.stdout.readline())[1]
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def command(folder, *words, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "realtime", *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
    )


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_router_is_served_talked_to_reloaded_and_ended(tmp_path):
    router = tmp_path / "r.yaml"
    good = "router: a\ndefault: {id: d, variants: [{id: v, weight: 100, model: demo/down, fallbacks: [demo/fast]}]}\n"
    router.write_text(good)
    (tmp_path / "server.yml").write_text("routers: [r.yaml]\n")
    with serving(tmp_path, "--config", "server.yml") as (process, url):
        assert command(tmp_path, "health", "--url", url).returncode == 0
        said = command(tmp_path, "chat", "--url", url, "-m", "router/a", "count", "to", "3")
        assert (said.returncode, said.stdout) == (0, "one, two, three.\n")
        assert "demo/down" in said.stderr
        assert "demo/fast" in said.stderr
        piped = command(tmp_path, "chat", "--url", url, "-m", "router/a", stdin="say hello\n")
        assert "hello" in piped.stdout.lower()
        wrong = command(tmp_path, "chat", "--url", url, "-m", "router/none", "hi")
        assert wrong.returncode == 1
        assert "router" in wrong.stderr

        def ready():
            return httpx.get(f"{url}/readyz", trust_env=False).json()

        router.write_text(good.replace("100", "99"))
        until(lambda: "reload_error" in ready())
        assert "must sum to 100, they sum to 99" in ready()["reload_error"]
        assert command(tmp_path, "chat", "--url", url, "-m", "router/a", "hi").returncode == 0
        router.write_text(good.replace("router: a", "router: b"))
        until(lambda: ready()["reloads"] == 1 and "reload_error" not in ready())
        assert command(tmp_path, "chat", "--url", url, "-m", "router/b", "hi").returncode == 0
        process.send_signal(signal.SIGHUP)
        until(lambda: ready()["reloads"] == 2)
        document = {
            "name": "saved",
            "defaultRoute": {
                "route_id": "d",
                "variants": [{"weight": 100, "variant": {"variant_id": "v", "model_id": "demo/smart"}}],
            },
        }
        posted = httpx.post(f"{url}/router/v1/routers", json=document, trust_env=False)
        assert posted.json()["done"]
        asked = {"model": "inworld/saved", "messages": []}
        explained = httpx.post(f"{url}/v1/router/explain", json=asked, trust_env=False).json()
        assert explained["decision"]["model"] == "demo/smart"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
