"""An experiment from end to end: plain OpenAI traffic, outcomes over HTTP, an answer from the command line."""

import json

import httpx
import pytest

from policies import Facts
from realtime.app import build
from router.cli.report import Wanted, run
from router.config import load

ROUTER = """
router: t
unit: [user]
default:
  id: everybody
  variants:
    - {id: control, weight: 50, model: demo/fast}
    - {id: treatment, weight: 50, model: demo/down, fallbacks: [demo/fast]}
experiment:
  control: control
  metrics: [{name: csat}, {name: resolved, kind: proportion}, {name: calls, kind: count}]
"""
SERVER = """
version: 1
providers: {demo: null}
auth:
  keys: [{id: web, secret: secret-web}, {id: other, secret: secret-other}, {id: few, secret: secret-few, routers: [x]}]
routers: [t.yaml]
records: {url: "sqlite:///RECORDS"}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "t.yaml").write_text(ROUTER)
    (tmp_path / "server.yaml").write_text(SERVER.replace("RECORDS", str(tmp_path / "r.db")))
    return tmp_path / "server.yaml"


@pytest.fixture
async def house(place):
    made = build(load(place, {}), {})
    yield made
    await made.shutdown()


def visitor(house, key="secret-web"):
    transport, headers = httpx.ASGITransport(house.asgi), {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


async def talked(client, user):
    document = {"model": "router/t", "user": user, "messages": [{"role": "user", "content": "say hi"}]}
    answer = await client.post("/v1/chat/completions", json=document)
    return answer.json()["metadata"], answer.headers["x-request-id"]


async def told(client, **outcome):
    headers = {"idempotency-key": outcome.pop("header")} if "header" in outcome else {}
    return await client.post("/v1/router/feedback", json=outcome, headers=headers)


def reported(place, capsys, **wanted):
    code = run(Wanted("router/t", place, **wanted), as_json=True)
    return code, json.loads(capsys.readouterr().out)


async def test_traffic_outcomes_and_an_answer(house, place, capsys):
    async with visitor(house) as client:
        for number in range(40):
            metadata, request_id = await talked(client, f"u{number}")
            better = metadata["variant_id"] == "treatment"
            about = metadata["generation_id"] if number % 2 else request_id
            for _ in range(2):
                answer = await told(client, request_id=about, metric="resolved", value=better, header=f"k{number}")
                assert answer.status_code == 202
            await told(client, unit=f"u{number}", metric="csat", value=4 + better + number % 3)
        await told(client, unit="never-seen", metric="csat", value=1)
    assert house.records.flush()
    code, found = reported(place, capsys)
    [route] = found["routes"]
    assert (code, found["router"], route["control"], route["mismatch"]) == (0, "t", "control", False)
    assert sum(route["units"].values()) == sum(route["requests"].values()) == 40
    assert route["elsewhere"] == {"treatment": route["units"]["treatment"]}
    resolved = route["figures"]["resolved"]
    assert (resolved["control"]["mean"], resolved["treatment"]["mean"]) == (0.0, 1.0)
    assert resolved["treatment"]["difference"] == 1.0 > resolved["treatment"]["low"], "sure, but of few units"
    assert "difference" not in resolved["control"]
    assert route["figures"]["csat"]["treatment"]["units"] == route["units"]["treatment"]
    assert route["figures"]["fallback_rate"]["treatment"]["mean"] > 0.2, "then it rests"
    assert list(route["figures"])[-2:] == ["csat", "resolved"]
    assert run(Wanted("t", place)) == 0
    assert "too early" in capsys.readouterr().out


async def test_a_forced_variant_changes_no_figure(house, place, capsys):
    async with visitor(house) as client:
        await talked(client, "ann")
    facts = Facts("router/t", user="ann", forced_variant="treatment", seed="s")
    walk = house.router.walk(facts, kind="chat")
    walk.finish(200)
    assert house.records.flush()
    _, found = reported(place, capsys)
    assert sum(found["routes"][0]["requests"].values()) == 1


async def test_an_outcome_that_cannot_be_taken_is_refused_by_name(house):
    async with visitor(house) as client:
        metadata, _ = await talked(client, "ann")
        mine = {"request_id": metadata["generation_id"]}
        direct = await client.post(
            "/v1/chat/completions", json={"model": "demo/fast", "messages": [{"role": "user", "content": "x"}]}
        )
        unrouted = {"request_id": direct.json()["metadata"]["generation_id"]}
        for outcome, status, param, words in (
            ({"metric": "csat", "value": 1}, 400, "request_id", "either request_id or unit"),
            ({**mine, "unit": "ann", "metric": "csat", "value": 1}, 400, "request_id", "either"),
            ({**mine, "metrik": "csat", "value": 1}, 400, "metrik", "did you mean 'metric'?"),
            ({**mine, "metric": "cast", "value": 1}, 400, "metric", "did you mean 'csat'?"),
            ({**mine, "metric": "zzz", "value": 1}, 400, "metric", "known are calls, csat, resolved"),
            ({**unrouted, "metric": "csat", "value": 1}, 400, "metric", "met no router"),
            ({**mine, "metric": "csat", "value": "5"}, 400, "value", "must be a number"),
            ({**mine, "metric": "csat"}, 400, "value", "must be a number"),
            ({**mine, "metric": "resolved", "value": 0.5}, 400, "value", "is a proportion"),
            ({**mine, "metric": "calls", "value": -1}, 400, "value", "is a count"),
            ({**mine, "metric": 5, "value": 1}, 400, "metric", "must be a text"),
            ({"unit": "", "metric": "csat", "value": 1}, 400, "unit", "must be a text"),
            ({**mine, "metric": "csat", "value": 1, "idempotency_key": 3}, 400, "idempotency_key", "must be a text"),
            ({"request_id": "nobody", "metric": "csat", "value": 1}, 404, "request_id", "no record of a request"),
        ):
            answer = await told(client, **outcome)
            error = answer.json()["error"]
            assert (answer.status_code, error["param"]) == (status, param), error
            assert words in error["message"]


async def test_a_stranger_finds_neither_the_request_nor_the_metric(house):
    async with visitor(house) as client:
        metadata, _ = await talked(client, "ann")
    outcome = {"request_id": metadata["generation_id"], "metric": "csat", "value": 1}
    async with visitor(house, "secret-other") as client:
        assert (await told(client, **outcome)).status_code == 404
    async with visitor(house, "secret-few") as client:
        answer = await told(client, unit="ann", metric="csat", value=1)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_metric")
    async with visitor(house, "wrong") as client:
        assert (await told(client, **outcome)).status_code == 401


async def test_an_outcome_may_come_days_later(house, place):
    async with visitor(house) as client:
        metadata, request_id = await talked(client, "ann")
        assert house.records.flush()
        house.recent._records.clear()
        house.recent._requests.clear()
        for about in (metadata["generation_id"], request_id):
            answer = await told(client, request_id=about, metric="csat", value=5)
            assert (answer.status_code, answer.json()["request_id"]) == (202, metadata["generation_id"])


async def test_without_records_there_is_nowhere_to_put_it(place):
    place.write_text(place.read_text().partition("records:")[0] + "records: {url: null}\n")
    made = build(load(place, {}), {})
    async with visitor(made) as client:
        answer = await told(client, unit="ann", metric="csat", value=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "records_not_kept")
    await made.shutdown()
