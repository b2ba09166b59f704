"""Load shedding: a late loop or full memory refuses new requests, and nothing longer than needed."""

import pytest

from router.shedding import MOST, TARGET_S, Shedding, memory_limit_bytes, resident_bytes
from tests.router.proxy.house import house, visitor


def late(lag_s, *, samples=2, **more):
    shedding = Shedding()
    for _ in range(samples):
        shedding.observe(lag_s, **more)
    return shedding


def test_a_hiccup_is_not_overload_and_a_late_loop_is():
    shedding = late(2.0, samples=1)
    assert shedding.why is None
    shedding.observe(0.6)
    assert "late" in shedding.why
    for _ in range(10):
        shedding.observe(0.001)
    assert shedding.why is None
    assert late(TARGET_S, samples=100).share == 0


def test_the_share_grows_as_long_as_the_loop_is_later_than_it_should_be_and_not_to_everybody():
    shares = [late(2 * TARGET_S, samples=samples).share for samples in (2, 3, 9, 100)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[1]
    assert shares[-1] == MOST


@pytest.mark.parametrize("served_s", [0.001, 0.004])
@pytest.mark.parametrize("callers", [300, 1000, 3000])
def test_callers_who_ask_again_at_once_leave_most_of_its_time_to_answers(callers, served_s):
    refused_s, shedding, answered, passed_s = served_s / 4, Shedding(), 0, 0.0
    for _ in range(300):  # a round: each of the callers has asked
        served = sum(not shedding.refuses() for _ in range(callers))
        took_s = served * served_s + (callers - served) * refused_s
        shedding.observe(took_s)
        answered, passed_s = answered + served, passed_s + took_s
    assert answered * served_s > 0.75 * passed_s
    alone_s = callers * served_s
    assert took_s < max(2 * TARGET_S, 0.65 * alone_s)


def test_the_share_is_spread_evenly():
    shedding = Shedding()
    shedding.share = 0.4
    assert [shedding.refuses() for _ in range(10)].count(True) == 4
    assert [shedding.refuses() for _ in range(5)].count(True) == 2


def test_a_late_loop_with_hardly_anything_to_do_was_held_up_from_outside():
    assert late(2.0, samples=9, running=15).why is None
    assert "late" in late(2.0, running=16).why


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


class Full(Shedding):
    """A process that has no memory left, or has it again."""

    def __init__(self):
        self.used = 95
        super().__init__(100, resident=lambda: self.used)
        self.observe(0.0)


async def test_chat_is_refused_and_health_is_not():
    app, _ = house()
    app.site.shedding = Full()
    document = {"model": "demo/fast", "messages": [{"role": "user", "content": "hi"}]}
    async with visitor(app) as client:
        for _ in range(3):
            refused = await client.post("/v1/chat/completions", json=document)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["code"] == "router_overloaded"
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).json()["status"] == "degraded"
        app.site.shedding.used = 50
        app.site.shedding.observe(0.0)
        assert (await client.post("/v1/chat/completions", json=document)).status_code == 200


async def test_a_late_loop_refuses_a_share_through_every_door_once():
    app, _ = house()
    app.site.shedding.share = 0.5
    document = {"model": "demo/fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
    found = []
    async with visitor(app) as client:
        for path in ("chat/completions", "messages", "embeddings", "chat/completions") * 2:
            found.append((await client.post(f"/v1/{path}", json={**document, "input": "hi"})).status_code)
    assert found.count(503) == 4
