"""What is refused at the door is counted and logged once, with closed labels and nothing of its content."""

import logging

import pytest

from router.metrics import Metrics
from router.proxy import Access, Key
from router.request_log import RequestLog

from .house import house, visitor
from .stand_in import StandIn, chat, door

KEYED = Access(keys=(Key("web", "a-secret-word"),))


@pytest.mark.parametrize(
    ("ask", "access", "status", "error_class"),
    [
        ({"content": b"{"}, Access(), 400, "bad_request"),
        ({"json": chat("unknown/model")}, Access(), 404, "not_found"),
        ({"json": chat("unknown/model", stream=True)}, Access(), 404, "not_found"),
        ({"json": chat()}, KEYED, 401, "unauthorized"),
        ({"content": b"x", "headers": {"content-encoding": "gzip"}}, Access(), 415, "unsupported_media_type"),
        ({"content": b"[" * 40_000_000}, Access(), 413, "too_large"),
        ({"json": chat("demo/defect")}, Access(), 500, "internal_error"),
    ],
)
async def test_a_refusal_is_counted_by_its_status_and_logged(ask, access, status, error_class, caplog):
    caplog.set_level(logging.INFO, logger="router.requests")
    metrics = Metrics()
    router = StandIn()
    router.observers += [metrics, RequestLog()]
    router.complete = refusing_unknown(router)
    async with door(router, access=access) as client:
        answer = await client.post("/v1/chat/completions", **ask)
    assert answer.status_code == status
    text = metrics.render("")[0].decode()
    labels = f'protocol="chat",route="none",variant="none",outcome="error",error_class="{error_class}"'
    assert [line for line in text.splitlines() if line.startswith("rr_requests_total{")] == [
        line for line in text.splitlines() if error_class in line and line.endswith(" 1.0")
    ]
    assert sorted(labels.split(",")) == sorted(
        next(line for line in text.splitlines() if line.startswith("rr_requests_total{"))[18:].split("}")[0].split(",")
    )
    (line,) = [record for record in caplog.records if record.message == "request refused"]
    assert (line.fields["status"], line.fields["path"]) == (status, "/v1/chat/completions")


def refusing_unknown(router):
    complete = router.complete

    async def decided(document, caller):
        router.decide(document, caller)
        return await complete(document, caller)

    return decided


async def test_a_refusal_with_a_record_is_not_counted_twice():
    app, _ = house()
    metrics = Metrics()
    app.site.router.observers.append(metrics)
    async with visitor(app) as client:
        answer = await client.post("/v1/chat/completions", json=chat("demo/down"))
    assert answer.status_code >= 500
    counted = [line for line in metrics.render("")[0].decode().splitlines() if line.startswith("rr_requests_total{")]
    assert len(counted) == 1
    assert counted[0].endswith(" 1.0")


async def test_a_thousand_unknown_paths_are_one_series():
    router, metrics = StandIn(), Metrics()
    router.observers.append(metrics)
    async with door(router) as client:
        for number in range(1000):
            assert (await client.get(f"/nowhere/{number}")).status_code == 404
    counted = [line for line in metrics.render("")[0].decode().splitlines() if line.startswith("rr_requests_total{")]
    assert len(counted) == 1
    assert counted[0].endswith(" 1000.0")


async def test_calls_refused_before_they_were_read_are_counted_each_and_logged_once(caplog):
    caplog.set_level(logging.INFO, logger="router.requests")
    app, _ = house()
    metrics = Metrics()
    app.site.router.observers += [metrics, RequestLog()]
    refusals = app.refusals()
    assert b"/v1/chat/completions" in refusals.paths
    assert b"/v1/realtime/client_secrets" not in refusals.paths
    refusals.told(25)
    counted = [line for line in metrics.render("")[0].decode().splitlines() if line.startswith("rr_requests_total{")]
    assert [line.rpartition(" ")[2] for line in counted] == ["25.0"]
    (line,) = [record for record in caplog.records if record.message == "request refused"]
    assert (line.fields["count"], line.fields["code"]) == (25, "router_overloaded")
