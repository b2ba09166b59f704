"""A running router with traffic of every kind, and a real Prometheus that scrapes it. Loopback only."""

import asyncio
import base64
import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import websockets
import yaml

from benchmarks.processes import end_process
from realtime.audio.resample import resample

ROOT = Path(__file__).parent.parent.parent
GRAFANA = ROOT / "grafana"
SERVER = """
providers: {demo: {kind: demo}, scripted: {kind: scripted}, local: {kind: local}}
prices: {scripted/ok: {input: 1, output: 2}}
routers: [routers]
records: {url: null}
defaults: {timeouts: {first_token_s: 60, total_s: 120}}
realtime: {model: router/talk}
"""
ROUTERS = {
    "split": """
router: split
default:
  id: halves
  variants: [{id: a, weight: 50, model: demo/fast}, {id: b, weight: 50, model: scripted/500, fallbacks: [scripted/ok]}]
""",
    "talk": """
router: talk
default: {id: d, variants: [{id: v, weight: 100, model: scripted/503, fallbacks: [demo/fast]}]}
""",
}
FAILING = ("scripted/500", "scripted/429", "scripted/context", "scripted/empty", "scripted/no-usage")


@contextlib.contextmanager
def program(command, folder, name, **more):
    """A process, and its end; what it says goes to NAME.log."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, **more)
        try:
            yield process
        finally:
            end_process(process)


@contextlib.contextmanager
def router(folder):
    """The router with tracing to its stderr; gives its port."""
    (folder / "routers").mkdir()
    (folder / "server.yaml").write_text(SERVER)
    for name, text in ROUTERS.items():
        (folder / "routers" / f"{name}.yaml").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RR_", "OTEL_"))}
    ours = {
        "PYTHONPATH": str(ROOT),
        "RR_NO_OLLAMA": "1",
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", "--config", "server.yaml"]
    with program(command, folder, "router", env={**kept, **ours}, stdout=subprocess.PIPE, text=True) as process:
        assert select.select([process.stdout], [], [], 60)[0], (folder / "router.log").read_text()
        yield int(re.search(r"ready at http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])


@contextlib.contextmanager
def prometheus(binary, folder, router_port):
    """Prometheus with our configuration, quicker; gives its address."""
    config = yaml.safe_load((GRAFANA / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(GRAFANA / "rules" / "*.yaml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{router_port}"]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        binary, "--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb", f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage", "--log.level=warn",
    ]  # fmt: skip
    with program(command, folder, "prometheus"):
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{url}/-/ready"), folder / "prometheus.log")
        yield url


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(url):
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def until(condition, log=None, limit_s=60):
    """Wait for something that takes a while."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:] if log else "it never came"
        time.sleep(0.05)


class Traffic:
    """Somebody who uses everything."""

    def __init__(self, port, folder, speech):
        self.url = f"http://127.0.0.1:{port}"
        self._socket = f"ws://127.0.0.1:{port}/v1/realtime?model=router/talk"
        self._folder = folder
        self._speech = resample(speech, 16_000, 24_000).astype("<i2").tobytes()

    async def wave(self):
        """Chats of forty users with fallbacks, streams, refusals, faults; a reload that works, one that does not."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client:
            split = [self._chat(client, "router/split", user=f"u{n}", stream=n % 2 == 0) for n in range(40)]
            single = [self._chat(client, model) for model in FAILING]
            streamed = self._chat(client, "scripted/malformed-2", stream=True)
            await asyncio.gather(*split, *single, streamed)
        self._rewrite(ROUTERS["talk"].replace("weight: 100", "weight: 99"))
        await asyncio.to_thread(until, lambda: "reload_error" in self._ready())
        self._rewrite(ROUTERS["talk"] + f"# {time.time()}\n")
        await asyncio.to_thread(until, lambda: "reload_error" not in self._ready())

    async def _chat(self, client, model, **fields):
        body = {"model": model, "messages": [{"role": "user", "content": "count to 20"}], **fields}
        answer = await client.post("/v1/chat/completions", json=body)
        assert answer.status_code in (200, 400, 429, 502, 503), answer.text

    def _rewrite(self, text):
        (self._folder / "routers" / "talk.yaml").write_text(text)

    def _ready(self):
        return httpx.get(f"{self.url}/readyz", trust_env=False).json()

    async def talk(self):
        """A voice session: a long answer, interrupted by a spoken question, which is answered."""
        async with websockets.connect(self._socket, proxy=None, max_size=None) as session:
            turns = {"type": "server_vad", "silence_duration_ms": 1500}
            settings = {"type": "realtime", "audio": {"input": {"turn_detection": turns}}}
            await session.send(json.dumps({"type": "session.update", "session": settings}))
            text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "count to 300"}]}
            await session.send(json.dumps({"type": "conversation.item.create", "item": text}))
            await session.send(json.dumps({"type": "response.create"}))
            await self._heard(session, "response.output_audio.delta")
            await self._say(session, self._speech)
            assert (await self._heard(session, "response.done"))["response"]["status"] == "cancelled"
            await self._heard(session, "response.output_audio.delta")

    @staticmethod
    async def _say(session, pcm):
        silence = np.zeros(60_000, dtype="<i2").tobytes()
        line, piece = pcm + silence, 24_000 * 2 // 10
        for at in range(0, len(line), piece):
            audio = base64.b64encode(line[at : at + piece]).decode()
            await session.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            await asyncio.sleep(0.1)  # as a microphone would: guesses are made in pauses

    @staticmethod
    async def _heard(session, kind):
        async with asyncio.timeout(90):
            while True:
                event = json.loads(await session.recv())
                if event["type"] == kind:
                    return event
                status = event.get("response", {}).get("status")
                assert event["type"] != "error", event
                assert status != "failed", event
