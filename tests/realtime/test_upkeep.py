"""Reloads under load lose no request; what a reload drops is closed after the last request that began with it."""

import asyncio
import threading
from contextlib import asynccontextmanager

import httpx
import pytest

from realtime.app import build
from router.config import ConfigError, load

SERVER = """
version: 1
records: {{url: null}}
providers:
  demo: {{kind: demo}}
  {more}
routers: [router.yaml]
"""
MINE = 'mine: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: xxxxxxxx, allow_private: true}'
ROUTER = """
router: support
unit: [user]
routes:
  - id: spanish
    when: language == "es"
    variants: [{{id: s, weight: 100, model: demo/fast}}]
default:
  id: default
  variants:
    - {{id: a, weight: {weight}, model: demo/fast}}
    - {{id: b, weight: {rest}, model: demo/down, fallbacks: [demo/fast]}}
"""


def write(folder, number=0, *, mine=False):
    (folder / "router.yaml").write_text(ROUTER.format(weight=number % 101, rest=100 - number % 101))
    (folder / "server.yaml").write_text(SERVER.format(more=MINE if mine else ""))


@asynccontextmanager
async def running(folder):
    house = build(load(folder / "server.yaml", {}), {})
    await house.startup()
    transport = httpx.ASGITransport(house.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield house, client
    await house.shutdown()


async def test_a_hundred_reloads_while_fifty_requests_run_lose_nothing(tmp_path):
    write(tmp_path)
    answers = []

    async def asking(client, number):
        document = {
            "model": "router/support",
            "user": f"u{number}",
            "stream": bool(number % 2),
            "messages": [{"role": "user", "content": "count to 20"}],
        }
        for _ in range(3):
            answers.append(await client.post("/v1/chat/completions", json=document))

    async with running(tmp_path) as (house, client), asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(asking(client, number))
        for number in range(100):
            await asyncio.sleep(0)
            write(tmp_path, number, mine=bool(number % 2))
            assert house.reloader.reload()
            await asyncio.sleep(0.002)
    assert {answer.status_code for answer in answers} == {200}
    assert all("twenty" in answer.text.replace(" ", "").lower() for answer in answers)
    assert len(answers) == 150
    assert house.reloader.status.reloads == 100


async def test_a_dropped_upstream_is_closed_when_its_last_request_is_over(tmp_path):
    write(tmp_path, mine=True)
    closed = asyncio.Event()

    async def aclose():
        closed.set()

    async with running(tmp_path) as (house, _):
        upstream = house.router.state.upstreams["mine"]
        upstream.aclose = aclose
        stream = await house.router.stream(
            {"model": "demo/fast", "messages": [{"role": "user", "content": "count to 30"}]}
        )
        write(tmp_path)
        assert house.reloader.reload()
        await asyncio.sleep(0.02)
        assert not closed.is_set()
        while await stream.read():
            pass
        del stream
        async with asyncio.timeout(2):
            await closed.wait()


async def test_what_inference_needs_is_loaded_beside_serving(tmp_path):
    write(tmp_path)
    async with running(tmp_path) as (house, _):
        loaded = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Guesses:
            def prepare(self):
                loop.call_soon_threadsafe(loaded.set)

        house.router.replace(type(house.router.state)(house.router.state.table, {}, guesses=Guesses()))
        house.upkeep.replaced({})
        async with asyncio.timeout(2):
            await loaded.wait()
    assert loaded.is_set()


def test_a_token_secret_that_is_too_short_is_refused_at_load(tmp_path):
    write(tmp_path)
    with (tmp_path / "server.yaml").open("a") as file:
        file.write("auth: {jwt: {secret: short-and-secret}}\n")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "server.yaml", {})
    assert "at least 32 bytes" in str(refused.value)
    assert "short-and-secret" not in str(refused.value.findings)


async def test_what_the_first_client_secret_needs_is_imported_after_the_start_and_off_the_loop(tmp_path, monkeypatch):
    called, threads = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def imports():
        threads.append(threading.get_ident())
        loop.call_soon_threadsafe(called.set)

    monkeypatch.setattr("realtime.app.import_opening", imports)
    monkeypatch.setattr("realtime.upkeep.QUIET_S", 0.0)
    write(tmp_path)
    async with running(tmp_path):
        await asyncio.wait_for(called.wait(), 5)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
