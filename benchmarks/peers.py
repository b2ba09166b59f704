"""The gateways under test: how each is installed, configured for the same job and started on loopback.

Every one proxies `POST …/chat/completions` to the mock provider with one model, and does what it does by default
besides. Ours has its full path on: key check, a CEL route, a 50/50 split by user, the attempts record and metrics.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from .load import Client
from .measure import seconds_since
from .processes import end_process

ROOT = Path(__file__).parent.parent
HOME = Path(os.environ.get("RR_BENCH_HOME", ROOT / ".bench"))  # where peers are installed
COMPILED = HOME / "compiled"  # our own hot path in C: see deploy/compile.py
MOCK_PORT = 9101
JSON_MOCK_PORT = 9102
GATEWAY_CPU = 0

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048; keepalive_requests 100000000;
    location / {{ {location} }}
  }}
}}
"""
PROXY = 'proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;'

OUR_SERVER = """
version: 1
auth: {keys: [{id: bench, secret: bench-secret, routers: ["*"], write: false}]}
providers:
  mock: {kind: openai, base_url: "http://127.0.0.1:UPSTREAM/v1", api_key: x, allow_private: true}
routers: [bench-router.yaml]
records: {url: "memory://"}
"""
OUR_ROUTER = """
router: bench
routes:
  - id: nobody
    when: tier == "premium" && language == "es"
    variants: [{id: only, weight: 100, model: mock/big}]
  - id: everybody
    when: user.startsWith("u-")
    variants:
      - {id: a, weight: 50, model: mock/a, fallbacks: [mock/spare]}
      - {id: b, weight: 50, model: mock/b, fallbacks: [mock/spare]}
default: {id: default, variants: [{id: only, weight: 100, model: mock/a}]}
"""
LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {model: openai/mock, api_base: "http://127.0.0.1:UPSTREAM/v1", api_key: x}
general_settings: {master_key: sk-bench-0123456789abcdef0123456789}
"""
TENSORZERO = """
[models.mock]
routing = ["mock"]
[models.mock.providers.mock]
type = "openai"
api_base = "http://127.0.0.1:UPSTREAM/v1/"
model_name = "mock"
api_key_location = "none"
[functions.bench]
type = "chat"
[functions.bench.variants.a]
type = "chat_completion"
model = "mock"
[functions.bench.variants.b]
type = "chat_completion"
model = "mock"
"""
TENSORZERO_START = """
import sys, time, tensorzero
gateway = tensorzero._start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None,
                                         valkey_url=None, async_setup=False)
open(sys.argv[2], "w").write(gateway.base_url)
while True: time.sleep(3600)
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers."""

    pid: int
    client: Client
    ready_s: float


def start(
    command: list[str], folder: Path, *, cpu: int, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start pinned to one CPU, output to a file in `folder`."""
    log = (folder / "output.log").open("wb")
    environment = {**os.environ, **(environment or {})}
    return subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=log, stderr=log, env=environment, cwd=folder)


def answers(client: Client) -> bool:
    """Whether one completion comes back whole."""
    try:
        reply = httpx.post(
            f"http://127.0.0.1:{client.port}{client.path}",
            content=client.body(),
            headers={"content-type": "application/json", **client.headers},
            timeout=5,
        )
    except httpx.HTTPError:
        return False
    return reply.status_code == 200 and "short" in reply.text


@contextmanager
def running(
    command: list[str],
    folder: Path,
    client: Callable[[], Client | None],
    *,
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """Start a gateway, wait until it answers, end it afterwards."""
    started_s = time.monotonic()
    process = start(command, folder, cpu=GATEWAY_CPU, environment=environment)
    try:
        while not ((found := client()) and answers(found)):
            if process.poll() is not None or seconds_since(started_s) > 60:
                raise RuntimeError(f"{command[0]} does not answer:\n{(folder / 'output.log').read_text()[-2000:]}")
            time.sleep(0.02)
        yield Running(process.pid, found, seconds_since(started_s))
    finally:
        end_process(process, 10)


def nginx(folder: Path, port: int, upstream: int, location: str = PROXY) -> list[str]:
    """The floor: nginx with `proxy_pass` and keep-alive. With `return 200` it is also the JSON mock."""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, upstream=upstream, location=location))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def ours(folder: Path, port: int, upstream: int) -> list[str]:
    """This router."""
    (folder / "server.yaml").write_text(OUR_SERVER.replace("UPSTREAM", str(upstream)))
    (folder / "bench-router.yaml").write_text(OUR_ROUTER)
    return [sys.executable, "-m", "realtime", "serve", "--config", str(folder / "server.yaml"), "--port", str(port)]


def litellm(folder: Path, port: int, upstream: int) -> list[str]:
    """LiteLLM's proxy, one worker."""
    (folder / "litellm.yaml").write_text(LITELLM.replace("UPSTREAM", str(upstream)))
    program = str(HOME / "ll/bin/litellm")
    return [program, "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]


def portkey(_folder: Path, port: int, _upstream: int) -> list[str]:
    """Portkey's open gateway; the target comes in request headers."""
    program = str(HOME / "pk/node_modules/@portkey-ai/gateway/build/start-server.js")
    return ["node", program, f"--port={port}", "--headless"]


def tensorzero(folder: Path, _port: int, upstream: int) -> list[str]:
    """TensorZero's Rust gateway out of its Python wheel; it chooses its own port."""
    (folder / "tensorzero.toml").write_text(TENSORZERO.replace("UPSTREAM", str(upstream)))
    (folder / "start.py").write_text(TENSORZERO_START)
    python = str(HOME / "tz/bin/python")
    return [python, str(folder / "start.py"), str(folder / "tensorzero.toml"), str(folder / "url")]
