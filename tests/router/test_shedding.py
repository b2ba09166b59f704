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


def test_a_late_loop_with_hardly_anything_to_do_was_held_up_from_outside():
    shedding = Shedding(0)
    for _ in range(3):
        shedding.observe(2.0, running=15)
        assert shedding.why is None
    shedding.observe(2.0, running=16)
    assert "late" in shedding.why


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


@pytest.mark.parametrize("line", ["0::/system.slice/router.service", "4:memory:/system.slice/router.service"])
def test_the_tightest_limit_of_the_own_control_groups_holds(tmp_path, line):
    groups, root = tmp_path / "cgroup", tmp_path / "root"
    (root / "system.slice" / "router.service").mkdir(parents=True)
    groups.write_text(f"9:cpu:/elsewhere\n{line}\n")
    place = ((str(root), "limit"),)
    machine = memory_limit_bytes(groups, place)
    assert machine > 100_000_000
    (root / "system.slice" / "router.service" / "limit").write_text("max\n")
    (root / "system.slice" / "limit").write_text("3000000\n")
    assert memory_limit_bytes(groups, place) == 3_000_000
    (root / "system.slice" / "router.service" / "limit").write_text("2000000\n")
    assert memory_limit_bytes(groups, place) == 2_000_000
    (root / "limit").write_text("1000000\n")  # a container sees its own group as the root
    assert memory_limit_bytes(groups, place) == 1_000_000
    assert memory_limit_bytes(tmp_path / "none", place) == 1_000_000


def test_resident_memory_is_read_where_it_is(tmp_path):
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
