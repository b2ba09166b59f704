"""The front door: paths, methods, CORS, request ids, and the last resort."""

import logging

import orjson
import pytest

from router.proxy import Key, create_app
from router.proxy.ops import Gauges

from .stand_in import StandIn, chat, door, raw


async def test_an_unknown_path_is_404_in_the_envelope():
    async with door() as client:
        answer = await client.get("/v1/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == "unknown_url"


async def test_a_wrong_method_is_405_and_says_what_is_allowed():
    async with door() as client:
        answers = [
            await client.get("/v1/chat/completions"),
            await client.delete("/v1/models"),
            await client.put("/router/v1/routers"),
        ]
    assert [answer.status_code for answer in answers] == [405, 405, 405]
    assert answers[0].headers["allow"] == "OPTIONS, POST"
    assert answers[1].headers["allow"] == "GET, HEAD, OPTIONS"
    assert all(answer.json()["error"]["code"] == "method_not_allowed" for answer in answers)


async def test_head_answers_the_headers_alone():
    async with door() as client:
        answer = await client.head("/v1/models")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/realtime/client_secrets", "/v1/nowhere"])
async def test_any_origin_may_call_with_a_key(path):
    origin = {"origin": "https://app.example"}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, x-stainless-os"}
    async with door(access=access((Key("web", "secret-web"),))) as client:
        preflight = await client.options(path, headers=origin | asked)
        answer = await client.get("/v1/models", headers=origin | {"x-api-key": "secret-web"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "authorization, x-stainless-os"
    assert "access-control-allow-credentials" not in preflight.headers
    assert "x-rr-attempts" in answer.headers["access-control-expose-headers"]
    assert "x-ratelimit-reset-tokens" in answer.headers["access-control-expose-headers"]


async def test_a_sane_request_id_is_echoed_and_any_other_replaced():
    async with door() as client:
        echoed = await client.get("/livez", headers={"x-request-id": "mine-1"})
        fresh = await client.get("/livez", headers={"x-request-id": "a b\x7f"})
        long = await client.get("/livez", headers={"x-request-id": "x" * 200})
    assert echoed.headers["x-request-id"] == "mine-1"
    assert fresh.headers["x-request-id"].startswith("req_")
    assert long.headers["x-request-id"].startswith("req_")


async def test_our_own_defect_says_nothing_internal_and_is_logged(caplog):
    caplog.set_level(logging.ERROR)
    async with door() as client:
        answer = await client.post("/v1/chat/completions", json=chat("demo/defect"), headers={"x-request-id": "id-7"})
    assert answer.status_code == 500
    assert "id-7" in answer.json()["error"]["message"]
    assert "secret detail" not in answer.text
    assert any(record.request_id == "id-7" for record in caplog.records)


async def test_sockets_go_to_the_voice_callable_or_are_closed():
    seen = []

    async def voice(scope, receive, send):
        seen.append(scope["path"])

    async def receive():
        return {"type": "websocket.connect"}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    await create_app(StandIn(), voice=voice).asgi(scope, receive, send)
    await create_app(StandIn()).asgi(scope, receive, send)
    assert seen == ["/v1/realtime"]
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "voice is not served here"}]


async def test_the_lifespan_is_told():
    told = []

    class Life:
        async def startup(self):
            told.append("startup")

        async def shutdown(self):
            told.append("shutdown")

    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    await create_app(StandIn(), lifespan=Life()).asgi({"type": "lifespan"}, receive, send)
    assert told == ["startup", "shutdown"]
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_endpoints_of_the_house_win_over_our_own():
    async def mine(exchange):
        await exchange.respond(200, b'{"mine":true}')

    async with door(endpoints=[("GET", "/livez", mine), ("GET", "/play/", mine)]) as client:
        answers = [await client.get("/livez"), await client.get("/play/index.html")]
    assert [answer.json() for answer in answers] == [{"mine": True}] * 2


async def test_the_operators_pages():
    gauges = Gauges(metrics=lambda accept: (b"rr_up 1\n", "text/plain"), readiness=lambda: {"degraded": True})
    async with door(gauges=gauges) as client:
        live, ready = await client.get("/livez"), await client.get("/readyz")
        version, metrics = await client.get("/version"), await client.get("/metrics")
        client.app.site.draining = True
        draining = await client.get("/healthz")
    assert live.json() == {"status": "ok"}
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert version.json()["configuration_hash"] == "abc"
    assert metrics.text == "rr_up 1\n"
    assert (draining.status_code, draining.json()["status"]) == (503, "draining")


class Book:
    rows = ({"request_id": "a", "key_id": "web"},)

    def recent(self, key_id, limit):
        return [row for row in self.rows if row["key_id"] == key_id][:limit]

    def find(self, key_id, request_id):
        return next((row for row in self.recent(key_id, 9) if row["request_id"] == request_id), None)


async def test_a_tenant_sees_its_own_records_and_404_for_the_rest():
    keys = (Key("web", "secret-web"), Key("app", "secret-app"))
    gauges = Gauges(records=Book())
    async with door(access=access(keys), gauges=gauges) as client:
        own = await client.get("/v1/router/requests/a", headers={"x-api-key": "secret-web"})
        listed = await client.get("/v1/router/requests?limit=1", headers={"x-api-key": "secret-web"})
        foreign = await client.get("/v1/router/requests/a", headers={"x-api-key": "secret-app"})
        wrong = await client.get("/v1/router/requests?limit=x", headers={"x-api-key": "secret-app"})
        nobody = await client.get("/v1/router/requests/a")
    assert own.json()["request_id"] == "a"
    assert len(listed.json()["data"]) == 1
    assert [foreign.status_code, wrong.status_code, nobody.status_code] == [404, 400, 401]
    assert foreign.json()["error"]["code"] == "request_not_found"


async def test_explain_answers_without_messages():
    async with door() as client:
        answer = await client.post("/v1/router/explain", json={"model": "router/support"})
        unknown = await client.post("/v1/router/explain", json={"model": "unknown/x"})
    assert answer.json()["decision"]["router"] == "support"
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "model")


def access(keys):
    from router.proxy import Access

    return Access(keys=keys)


async def test_headers_with_an_underscore_are_not_read():
    app = create_app(StandIn(), access=access((Key("web", "secret-web"),))).asgi
    body = {"type": "http.request", "body": orjson.dumps(chat()), "more_body": False}
    sent = await raw(app, [body], headers=[(b"x_api_key", b"secret-web")])
    assert sent[0]["status"] == 401
