"""A street with a fault in every house: the real application in a process of its own, providers that fail on demand.

The scripted upstream, the toxic proxies and the broken listeners run on one event loop in a thread of the tests; the
application is started by its command line and knows nothing of all this but its configuration file.
"""

import asyncio
import contextlib
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import MappingProxyType

import httpx

from router.tls_dev import dev_certificate
from router.upstreams.scripted import ScriptedServer
from tests.faults.toxics import Toxic, ToxicProxy, reset
from tests.faults.witness import Witness, samples

ROOT = Path(__file__).parent.parent.parent
KEY = "sk-canary-caller-7f3a"
OTHER_KEY = "sk-canary-other-7f3b"
PROVIDER_KEY = "sk-canary-provider-91bc"
PROMPT = "canary-prompt-5d1e"
TIMEOUTS = {"connect_s": 0.5, "first_token_s": 0.8, "idle_s": 0.6, "total_s": 8.0, "answer_s": 0.8}
NO_PROXY = {"trust_env": False}

CONFIG = """
version: 1
auth:
  keys:
    {keys}
    - {{id: web, secret: {key}, routers: ["*"], write: false}}
    - {{id: other, secret: {other}, routers: ["strict*"], write: false}}
providers:
{providers}
defaults:
  timeouts: {timeouts}
  cooldown: {{consecutive_failures: 5, base_s: 1, max_s: 2}}
{defaults}
routers: [{routers}]
prices: {{"east/ok@priced": {{input: 1000, output: 1000}}}}
records: {{url: "sqlite:///{records}"}}
"""
SPLIT = """
router: split
default:
  id: everybody
  variants:
    - {id: a, weight: 50, model: "east/503@a", fallbacks: ["east/ok@spare"]}
    - {id: b, weight: 50, model: "east/cut-0@b", fallbacks: ["east/ok@spare"]}
"""
PATCHED = """
router: patched
on_interrupt: continue
attempts: {max: 3, retry_same: 1, wait_for_retry_after_s: 3}
default: {id: d, variants: [{id: v, weight: 100, model: "east/cut-40@patched", fallbacks: ["east/ok@patched"]}]}
"""


class Loop:
    """An event loop in a thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


class Street:
    """`with Street(folder) as street`: `street.url` is the application, `street.journal()` the upstream's log."""

    host = "127.0.0.1"
    timeouts = TIMEOUTS
    routers = MappingProxyType({"split": SPLIT, "patched": PATCHED})
    records = "records.db"  # in the folder
    recorded = True  # records are written
    plain = ("east", "west", "narrow")  # providers whose every call is in the upstream's log
    secrets = (PROVIDER_KEY, KEY, OTHER_KEY, PROMPT)

    def __init__(self, folder, *, defaults="", extra="", keys="", environment=(), prefix=(), log=None):
        self.folder = folder
        self.defaults = defaults
        self.extra = extra
        self.keys = keys
        self.environment = dict(environment)
        self.prefix = prefix  # what starts the application's command
        self.log = log  # a descriptor; None: `stderr.log` in the folder
        self.toxic = {}
        self._made = []

    def __enter__(self):
        self.loop = Loop()
        try:
            self.loop.run(self._open())
            self._start()
        except BaseException:
            self.loop.run(self._close())
            self.loop.stop()
            raise
        self.witness = Witness(self)
        self.client = self.visitor()
        self.witness.begin()
        return self

    def __exit__(self, failed, *_):
        try:
            if failed is None:
                self.witness.end()
        finally:
            self.client.close()
            self._stop()

    def visitor(self, *, timeout=20):
        """A client of its own, heard by the witness."""
        return httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {KEY}"},
            timeout=timeout,
            event_hooks={"response": [self.witness.told]},
            **NO_PROXY,
        )

    def _stop(self):
        for number, patience_s in ((signal.SIGTERM, 0.2), (signal.SIGTERM, 3), (signal.SIGKILL, None)):
            self.process.send_signal(number)  # the second SIGTERM means: now
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
        self.process.stdout.close()
        self.loop.run(self._close())
        self.loop.stop()

    async def _open(self):
        self.server = ScriptedServer(time_scale=0.05, gap_s=0.02, keep_bodies=True)
        await self._enter(self.server)
        port = self.server.port
        toxics = {
            "latency": ToxicProxy(port, downstream=Toxic(latency_s=0.05, jitter_s=0.02)),
            "dead": ToxicProxy(port, down=True),
            "slow": ToxicProxy(port, downstream=Toxic(slice_bytes=1, slice_delay_s=0.05)),
            "slicer": ToxicProxy(port, downstream=Toxic(slice_bytes=1)),
            "mute": ToxicProxy(port, downstream=Toxic(timeout_s=0)),
            "limited": ToxicProxy(port, downstream=Toxic(limit_bytes=4000)),
            "resetting": ToxicProxy(port, downstream=Toxic(reset_peer_s=0.01)),
            "halfopen": ToxicProxy(port),
            "band": ToxicProxy(port, downstream=Toxic(bandwidth_bytes_per_s=40_000, slice_bytes=2000)),
            "closing": ToxicProxy(port, downstream=Toxic(slow_close_s=0.05)),
        }
        for proxy in toxics.values():
            await self._enter(proxy)
        self.toxic = toxics
        self.tls_bytes = []
        self.tls_port = await self._tls()

    async def _enter(self, place):
        await place.__aenter__()
        self._made.append(place)

    async def _close(self):
        for place in reversed(self._made):
            await place.__aexit__(None, None, None)

    async def _tls(self):
        certificate, key = dev_certificate(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        async def take(reader, writer):
            self.tls_bytes.append(await reader.read(1000))
            reset(writer)

        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
        self._made.append(Closing(server))
        return server.sockets[0].getsockname()[1]

    def _providers(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            refused = closed.getsockname()[1]
        urls = {"east": f"http://127.0.0.1:{self.server.port}", "west": f"http://127.0.0.1:{self.server.port}"}
        urls |= {name: f"http://127.0.0.1:{proxy.port}" for name, proxy in self.toxic.items()}
        urls |= {
            "refused": f"http://127.0.0.1:{refused}",
            "tls": f"https://127.0.0.1:{self.tls_port}",
            "plain": f"https://127.0.0.1:{self.server.port}",
            "mutetls": f"https://127.0.0.1:{self.toxic['mute'].port}",
            "narrow": f"http://127.0.0.1:{self.server.port}",
        }
        return "\n".join(provider(name, url) for name, url in urls.items())

    def _start(self):
        timeouts = "{" + ", ".join(f"{name}: {value}" for name, value in self.timeouts.items()) + "}"
        text = CONFIG.format(
            key=KEY,
            keys=self.keys,
            other=OTHER_KEY,
            providers=self._providers(),
            timeouts=timeouts,
            defaults=self.defaults,
            records=self.folder / self.records,
            routers=", ".join(f"{name}.yaml" for name in self.routers),
        )
        (self.folder / "server.yml").write_text(text + self.extra)
        for name, text in self.routers.items():
            (self.folder / f"{name}.yaml").write_text(text)
        self.stderr = self.folder / "stderr.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RR_") and not k.endswith("_API_KEY")}
        own = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "always::ResourceWarning", "COLUMNS": "200"}
        flags = ("--config", "server.yml", "--host", self.host, "--port", "0", "--log-format", "json")
        with self.stderr.open("w") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "realtime", "serve", *flags],
                cwd=self.folder,
                env={**kept, **own, **self.environment},
                stdout=subprocess.PIPE,
                stderr=log if self.log is None else self.log,
                text=True,
            )
        assert select.select([self.process.stdout], [], [], 30)[0], self.stderr.read_text()
        line = self.process.stdout.readline()
        found = re.search(r"ready at (\S+)", line)
        assert found, self.stderr.read_text()
        self.url = found[1]
        self.port = int(self.url.rpartition(":")[2])

    def logs(self):
        """What its upstreams saw: lists that grow, of calls with `model` and `ended`."""
        return [self.server.journal.seen]

    def journal(self, mark):
        """The upstream's log of the calls whose model ends in `@mark`."""
        return [seen for seen in list(self.server.journal.seen) if seen.model.endswith(f"@{mark}")]

    def metrics(self):
        """Every sample of /metrics by its whole name."""
        return samples(self.client.get("/metrics").text)

    def total(self, name, **labels):
        """The sum of a metric over the series with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for series, value in self.metrics().items()
            if series.partition("{")[0] == name and all(pair in series for pair in wanted)
        )

    def resident_bytes(self):
        return int((Path("/proc") / str(self.process.pid) / "statm").read_text().split()[1]) * 4096

    def descriptors(self):
        return len(list((Path("/proc") / str(self.process.pid) / "fd").iterdir()))

    def until(self, condition, limit_s=1.0):
        """Wait for a condition; the seconds it took."""
        began_s = time.monotonic()
        while not condition():
            assert time.monotonic() - began_s < limit_s, "it did not happen in time"
            time.sleep(0.01)
        return time.monotonic() - began_s


class PatientStreet(Street):
    """Its providers may take their time: what is slow here is the router, or the machine."""

    timeouts = MappingProxyType(dict.fromkeys(TIMEOUTS, 20))


def provider(name, url):
    """A provider of the configuration."""
    narrow = ", max_inflight: 2" if name == "narrow" else ""
    return f'  {name}: {{kind: openai, base_url: "{url}/v1", api_key: {PROVIDER_KEY}, allow_private: true{narrow}}}'


class Closing:
    """An asyncio server among the places that are closed in the end."""

    def __init__(self, server):
        self._server = server

    async def __aexit__(self, *_):
        self._server.close()
