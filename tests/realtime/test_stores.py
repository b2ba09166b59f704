"""Stores of the configuration: a database that is away does not keep the router from starting, a bad address does."""

import sys
import time

import pytest

from realtime.app import build
from router.config import ConfigError, load
from tests.router.records.postgres_server import MISSING, PostgresServer


def config_of(folder, url):
    (folder / "server.yaml").write_text(f"version: 1\nproviders: {{demo: {{kind: demo}}}}\nrecords: {{url: '{url}'}}\n")
    return load(folder / "server.yaml", {})


async def ready(house):
    """/readyz as an ASGI server would ask for it."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": "/readyz", "raw_path": b"/readyz", "query_string": b""}
    await house.asgi({**scope, "headers": [], "client": ("127.0.0.1", 1), "http_version": "1.1"}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.skipif(bool(MISSING), reason=str(MISSING))
async def test_a_database_that_is_away_at_the_start_degrades_and_comes_back(tmp_path):
    server = PostgresServer()
    try:
        house = build(config_of(tmp_path, server.address()), {})
        began_s = time.monotonic()
        await house.startup()
        assert time.monotonic() - began_s < 5
        await degraded_is(house, wanted=True)
        server.start()
        await degraded_is(house, wanted=False)
        await house.shutdown()
    finally:
        server.remove()


async def degraded_is(house, *, wanted):
    import asyncio

    async with asyncio.timeout(20):
        while True:
            status, body = await ready(house)
            assert status == 200
            assert b"quite-secret" not in body
            if (b'"status":"degraded"' in body and b'"records":"not written' in body) is wanted:
                return
            await asyncio.sleep(0.02)


def test_an_address_that_cannot_be_read_is_a_finding(tmp_path):
    with pytest.raises(ConfigError, match=r"records\.url: is no address of PostgreSQL"):
        build(config_of(tmp_path, "postgresql://u:hidden@h/d?no_such_option=1"), {})


def test_a_missing_package_is_a_finding_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "router.records.postgres", raising=False)
    with pytest.raises(ConfigError, match=r"records\.url: needs the psycopg package; install it: pip install"):
        build(config_of(tmp_path, "postgresql://localhost/records"), {})
