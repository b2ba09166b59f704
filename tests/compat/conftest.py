"""Our own server and a scripted provider behind it, as processes on loopback, for clients that run beside them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.resample import resample

from .environments import ROOT

KEY = "sk-compat"
CONFIG = """
version: 1
auth:
  keys: [{{id: compat, secret: {key}}}, {{id: tight, secret: sk-tight, rpm: 1}}]
  jwt: {{secret: a-secret-of-compatibility-tests-only}}
providers:
  demo: {{kind: demo}}
  mine: {{kind: openai, base_url: "{upstream}", api_key: x, allow_private: true}}
defaults:
  timeouts: {{connect_s: 20, first_token_s: 20, idle_s: 20}}  # these tests are about shapes, on machines that are busy
realtime: {{mcp: {{allow_private: true}}}}
records: {{url: "memory://"}}
"""


@dataclass(frozen=True, slots=True)
class House:
    """Where a server listens."""

    port: int
    upstream: str
    certificate: Path | None = None

    def given(self, **more):
        """What every driver gets."""
        s = "s" if self.certificate else ""
        base = {"http": f"http{s}://127.0.0.1:{self.port}", "ws": f"ws{s}://127.0.0.1:{self.port}", "key": KEY}
        trust = {"NODE_EXTRA_CA_CERTS": str(self.certificate), "SSL_CERT_FILE": str(self.certificate)}
        return base | {"upstream": self.upstream, "variables": trust if self.certificate else {}} | more


class Process:
    """A program of ours that says on stdout where it listens."""

    def __init__(self, *arguments, pattern, log, path=()):
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environment |= {
            "HOME": str(log.parent),
            "RR_NO_OLLAMA": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path))),
        }
        self._log = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=self._log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
        )
        self.found = self._listening(re.compile(pattern), log)

    def _listening(self, pattern, log):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            found = pattern.search(log.read_text())
            if found:
                return found
            time.sleep(0.05)
        self.stop()
        return pytest.fail(f"it does not listen; it said:\n{log.read_text()[-3000:]}")

    def stop(self):
        """End it and wait."""
        if self._process.poll() is None:
            for _ in range(2):  # the second means now
                self._process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def upstream(home):
    arguments = ("router.upstreams.scripted", "--port", "0", "--keep-bodies")
    process = Process(*arguments, pattern=r"on (http\S+)/v1", log=home / "scripted.log")
    yield process.found[1]
    process.stop()


def serve(home, upstream, name, *flags, path=()):
    """A server of ours; `path`: folders of packages that it finds besides its own."""
    config = home / f"{name}.yaml"
    config.write_text(CONFIG.format(key=KEY, upstream=f"{upstream}/v1"))
    arguments = ("realtime", "serve", "--config", str(config), "--port", "0", *flags)
    return Process(*arguments, pattern=r"https?://127\.0\.0\.1:(\d+)", log=home / f"{name}.log", path=path)


@pytest.fixture(scope="session")
def house(home, upstream):
    process = serve(home, upstream, "plain")
    yield House(int(process.found[1]), upstream)
    process.stop()


@pytest.fixture(scope="session")
def tls_house(home, upstream):
    process = serve(home, upstream, "tls", "--tls-dev")
    certificate = next((home / ".cache" / "realtime-router").glob("*cert*"))
    yield House(int(process.found[1]), upstream, certificate)
    process.stop()


@pytest.fixture(scope="session")
def journal(upstream):
    """The calls the provider has seen; "DELETE" forgets them."""

    def read(method="GET"):
        with urllib.request.urlopen(urllib.request.Request(f"{upstream}/log", method=method)) as answer:
            return json.load(answer)

    return read


@pytest.fixture(scope="session")
def speech(home):
    """A spoken sentence: PCM16, mono, 24 kHz, as a file."""
    flite = shutil.which("flite")
    if flite is None:
        pytest.skip("flite is not installed")
    return {name: str(_spoken(home / f"{name}.pcm", flite, words)) for name, words in SENTENCES.items()}


SENTENCES = {"question": "what is the price of the ticket", "stop": "please stop now and listen to me"}


def _spoken(path, flite, words):
    sound = path.with_suffix(".wav")
    subprocess.run([flite, "-voice", "rms", "-t", words, "-o", str(sound)], check=True, capture_output=True)
    with wave.open(str(sound)) as file:
        rate, frames = file.getframerate(), file.readframes(file.getnframes())
    wanted = resample(np.frombuffer(frames, np.int16), rate, 24_000)
    path.write_bytes(wanted.astype("<i2").tobytes())
    return path
