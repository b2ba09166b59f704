"""Load shedding: a late loop or full memory refuses new requests, and nothing longer than needed."""

import pytest

from router import Refusal
from router.proxy.auth import Principal
from router.shedding import Shedding, memory_limit_bytes, resident_bytes
from tests.router.proxy.house import house, visitor


def test_a_hiccup_is_not_overload_and_a_late_loop_is():
    shedding = Shedding(0)
    shedding.observe(0.6)
    assert shedding.why is None
    shedding.observe(0.6)
    assert "late" in shedding.why
    for _ in range(4):
        shedding.observe(0.001)
    assert shedding.why is None
    shedding.observe(2.0)
    assert shedding.why


def test_full_memory_is_overload_until_it_is_free():
    used = [80]
    shedding = Shedding(100, resident=lambda: used[0])
    shedding.observe(0.0)
    assert shedding.why is None
    used[0] = 95
    shedding.observe(0.0)
    assert "memory" in shedding.why
    used[0] = 50
    shedding.observe(0.0)
    assert shedding.why is None


def test_limits_are_read_where_they_are(tmp_path):
    (tmp_path / "a").write_text("max\n")
    (tmp_path / "b").write_text("1000000\n")
    machine = memory_limit_bytes((str(tmp_path / "none"),))
    assert memory_limit_bytes((str(tmp_path / "a"), str(tmp_path / "b"))) == 1_000_000
    assert machine > 100_000_000
    assert resident_bytes() > 10_000_000
    assert resident_bytes(tmp_path / "none") == 0


async def test_chat_is_refused_and_health_is_not():
    app, _ = house()
    app.site.shedding = Shedding(0)
    app.site.shedding.observe(9.0)
    document = {"model": "demo/fast", "messages": [{"role": "user", "content": "hi"}]}
    async with visitor(app) as client:
        refused = await client.post("/v1/chat/completions", json=document)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "router_overloaded"
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).json()["status"] == "degraded"
        app.site.shedding.observe(0.0)
        assert (await client.post("/v1/chat/completions", json=document)).status_code == 200


async def test_a_caller_without_limits_is_shed_too():
    app, _ = house()
    app.site.shedding.observe(9.0)
    with pytest.raises(Refusal, match="late"):
        await app.site.admit(Principal("open"), size_bytes=0)
