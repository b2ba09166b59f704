"""Metrics on a port of their own."""

import asyncio

import httpx
import pytest

from realtime.app import build
from router.config import ConfigError, load
from router.metrics import serve_metrics
from router.metrics.port import answered


def render(accept):
    return b"rr_x 1\n", f"text/plain; seen={accept}"


def test_only_metrics_are_there_and_only_to_be_read():
    assert answered(b"GET /metrics?x=1 HTTP/1.1\r\nAccept: text/x\r\n\r\n", render).endswith(b"\r\n\r\nrr_x 1\n")
    assert b"seen=text/x" in answered(b"GET /metrics HTTP/1.1\r\naccept: text/x\r\n\r\n", render)
    assert answered(b"HEAD /metrics HTTP/1.1\r\n\r\n", render).endswith(b"\r\n\r\n")
    assert answered(b"GET / HTTP/1.1\r\n\r\n", render).startswith(b"HTTP/1.1 404")
    assert answered(b"POST /metrics HTTP/1.1\r\n\r\n", render).startswith(b"HTTP/1.1 405")
    assert answered(b"\r\n\r\n", render).startswith(b"HTTP/1.1 405")


async def test_it_answers_scrapers_and_outlives_noise():
    server = await serve_metrics("127.0.0.1", 0, render)
    port = server.sockets[0].getsockname()[1]
    for noise in (b"", b"GET", b"x" * 40_000 + b"\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(noise)
        writer.write_eof()
        assert b"200" not in await reader.read()
        writer.close()
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert (answer.status_code, answer.text) == (200, "rr_x 1\n")
    server.close()


async def test_the_house_serves_them_there_and_nowhere_else(tmp_path):
    (tmp_path / "server.yaml").write_text("server: {metrics_port: 0}\nrecords: {url: null}\nproviders: {demo: {}}\n")
    house = build(load(tmp_path / "server.yaml", {}), {})
    await house.startup()
    port = house._scraped.sockets[0].getsockname()[1]
    async with httpx.AsyncClient() as client:
        there = await client.get(f"http://127.0.0.1:{port}/metrics")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.asgi), base_url="http://test") as client:
        here = await client.get("/metrics")
    await house.shutdown()
    assert (there.status_code, here.status_code) == (200, 404)
    assert "rr_requests_total" in there.text


def test_several_workers_cannot_share_the_port(tmp_path):
    (tmp_path / "server.yaml").write_text("server: {metrics_port: 9090, workers: 2}\n")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "server.yaml", {})
    assert "workers: 1" in str(refused.value)
