"""POST /v1/chat/completions at the door: bodies, headers, streams, hang-ups, limits."""

import asyncio
import json
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.proxy import Access, Allowance, Caps, Key, create_app

from .stand_in import Pieces, StandIn, chat, door, raw

READER, WRITER = Key("web", "secret-web"), Key("ops", "secret-ops", write=True)


def whole(document):
    return {"type": "http.request", "body": orjson.dumps(document), "more_body": False}


async def test_an_answer_carries_its_summary():
    async with door() as client:
        answer = await client.post("/v1/chat/completions", json=chat("router/support"))
    assert answer.status_code == 200
    assert answer.json()["metadata"]["variant_id"] == "v1"
    headers = answer.headers
    assert (headers["x-rr-route"], headers["x-rr-variant"]) == ("r1", "v1")
    assert (headers["x-rr-model"], headers["x-rr-provider"], headers["x-rr-attempts"]) == ("demo/fast", "demo", "1")
    assert float(headers["x-rr-cost-usd"]) == pytest.approx(3e-6 + 8e-6)
    assert float(headers["x-rr-overhead-ms"]) >= 0
    assert headers["server-timing"].startswith("total;dur=")
    assert headers["openai-processing-ms"].isdigit()
    assert headers["content-type"] == "application/json"


async def test_the_path_without_v1_works_too():
    async with door() as client:
        assert (await client.post("/chat/completions", json=chat())).status_code == 200


async def test_a_spent_plan_says_not_to_retry_and_shows_its_attempts():
    async with door() as client:
        answer = await client.post("/v1/chat/completions", json=chat("demo/down"))
        streamed = await client.post("/v1/chat/completions", json=chat("demo/down", stream=True))
    for one in (answer, streamed):
        assert (one.status_code, one.headers["x-should-retry"], one.headers["x-rr-attempts"]) == (502, "false", "1")
        assert one.json()["error"]["code"] == "upstream_error"
        assert one.json()["metadata"]["attempts"][0]["outcome"] == "http_5xx"


async def test_a_stream_is_sse_with_its_headers():
    async with door() as client:
        answer = await client.post("/v1/chat/completions", json=chat(stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_silence_is_broken_by_comments_and_a_later_failure_comes_in_band():
    class Late(StandIn):
        async def stream(self, document, caller):
            await asyncio.sleep(0.05)
            return await super().stream(document, caller)

    async with door(Late(), caps=Caps(ping_s=0.02)) as client:
        good = await client.post("/v1/chat/completions", json=chat(stream=True))
        bad = await client.post("/v1/chat/completions", json=chat("demo/down", stream=True))
    assert good.text.startswith(": ping\n\n")
    assert good.text.endswith("data: [DONE]\n\n")
    assert bad.status_code == 200
    event = orjson.loads(bad.text.rsplit("data: ", 1)[1])
    assert event["error"]["code"] == "upstream_error"
    assert event["metadata"]["attempts"]
    assert "[DONE]" not in bad.text


async def test_pings_fill_pauses_in_the_middle():
    async with door(caps=Caps(ping_s=0.02)) as client:
        answer = await client.post("/v1/chat/completions", json=chat(stream=True, pieces=1, pause_s=0.05))
    assert ": ping" in answer.text
    assert answer.text.replace(": ping\n\n", "") == 'data: {"choices":[]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hang_up_while_waiting_cancels_within_100_ms(stream):
    router = StandIn()
    app = create_app(router).asgi
    gone_s = []

    async def gone():
        await asyncio.sleep(0.02)
        gone_s.append(time.monotonic())
        return {"type": "http.disconnect"}

    sent = await asyncio.wait_for(raw(app, [whole(chat("demo/slow", stream=stream)), gone]), 2)
    assert time.monotonic() - gone_s[0] < 0.1
    assert router.cancelled == 1
    assert sent == []


async def test_a_hang_up_in_the_stream_closes_it():
    router = StandIn()
    app = create_app(router).asgi

    async def gone():
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    document = chat(stream=True, pieces=1000, pause_s=0.02)
    sent = await asyncio.wait_for(raw(app, [whole(document), gone]), 2)
    assert (router.cancelled, router.closed) == (1, 1)
    assert 1 < len(sent) < 10


async def test_a_hang_up_in_the_body_is_no_answer():
    async def gone():
        return {"type": "http.disconnect"}

    sent = await raw(create_app(StandIn()).asgi, [{"type": "http.request", "body": b"{", "more_body": True}, gone])
    assert sent == []


async def test_a_slow_reader_holds_the_upstream_back():
    router, reads = StandIn(), []

    class Watched(Pieces):
        async def read(self):
            reads.append(self.reads)
            return await super().read()

    async def stream(document, caller):
        record = router.record(document, caller)
        return Watched(router, record, [b"data: {}\n\n"] * 100, pause_s=0)

    router.stream = stream
    app = create_app(router).asgi
    release = asyncio.Event()
    first = [whole(chat(stream=True))]

    async def receive():
        if first:
            return first.pop()
        return await asyncio.sleep(3600)

    async def send(message):
        if message["type"] == "http.response.body":
            await release.wait()

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [], "query_string": b""}
    async with asyncio.TaskGroup() as group:
        group.create_task(app(scope, receive, send))
        await asyncio.sleep(0.05)
        assert len(reads) == 1
        release.set()
    assert len(reads) == 101


@pytest.mark.parametrize(
    "headers", [[(b"content-length", b"1000001")], [(b"content-length", b"10")], [(b"transfer-encoding", b"chunked")]]
)
async def test_a_body_beyond_the_cap_is_413_before_it_is_read_out(headers):
    piece = {"type": "http.request", "body": b"x" * 600_000, "more_body": True}
    app = create_app(StandIn(), caps=Caps(body_bytes=1_000_000)).asgi
    started_s = time.monotonic()
    sent = await asyncio.wait_for(raw(app, [piece, piece], headers=headers), 1)
    assert time.monotonic() - started_s < 0.1
    assert sent[0]["status"] == 413
    assert orjson.loads(sent[1]["body"])["error"]["code"] == "request_too_large"
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_compressed_body_is_415():
    async with door() as client:
        answer = await client.post("/v1/chat/completions", content=b"x", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


BAD = {
    "malformed": b'{"model": ',
    "depth": b'{"model":"demo/fast","messages":' + b"[" * 100_000,
    "surrogate": b'{"model":"demo/fast","messages":[{"role":"user","content":"\\ud800"}]}',
    "nan": b'{"model":"demo/fast","temperature":NaN,"messages":[]}',
    "types": b'{"model":"demo/fast","messages":{}}',
    "empty messages": b'{"model":"demo/fast","messages":[]}',
    "metadata not an object": orjson.dumps(chat(metadata=5)),
    "metadata nested": orjson.dumps(chat(metadata={"a": {"b": 1}})),
    "not utf-8": b'{"model":"\xff"}',
    "empty": b"",
}


CHAT, EXPLAIN = "/v1/chat/completions", "/v1/router/explain"
PLACES = [(CHAT, name) for name in BAD] + [(EXPLAIN, name) for name in BAD if name != "empty messages"]


@pytest.mark.parametrize(("path", "name"), PLACES)
async def test_bad_input_is_400_with_a_place(path, name):
    async with door() as client:
        answer = await client.post(path, content=BAD[name], headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] or "line" in error["message"] or "no body" in error["message"]


async def test_an_unknown_model_is_404():
    async with door() as client:
        answer = await client.post("/v1/chat/completions", json=chat("unknown/x"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_only_keys_that_write_force_a_variant():
    router = StandIn()
    forced = {"x-rr-variant": "b"}
    async with door(router, access=Access(keys=(READER, WRITER))) as client:
        refused = await client.post("/v1/chat/completions", json=chat(), headers=forced | {"x-api-key": "secret-web"})
        allowed = await client.post("/v1/chat/completions", json=chat(), headers=forced | {"x-api-key": "secret-ops"})
    assert (refused.status_code, allowed.status_code) == (403, 200)
    assert router.calls[0][1].forced_variant == "b"
    assert router.calls[0][1].key_id == "ops"


async def test_a_router_outside_the_keys_scope_is_404_as_if_it_were_not_there():
    key = Key("web", "secret-web", routers=("support",))
    async with door(access=Access(keys=(key,)), headers={"x-api-key": "secret-web"}) as client:
        own = await client.post("/v1/chat/completions", json=chat("router/support"))
        other = await client.post("/v1/chat/completions", json=chat("router/sales"))
    assert (own.status_code, other.status_code) == (200, 404)
    assert other.json()["error"]["code"] == "router_not_found"


async def test_a_key_beyond_its_rate_is_429_with_the_wait():
    key = Key("web", "secret-web", allowance=Allowance(rpm=1, tpm=100_000))
    async with door(access=Access(keys=(key,)), headers={"x-api-key": "secret-web"}) as client:
        first = await client.post("/v1/chat/completions", json=chat())
        second = await client.post("/v1/chat/completions", json=chat())
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert first.headers["x-ratelimit-limit-tokens"] == "100000"
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(second.headers["retry-after"]) <= 60


async def test_a_client_secret_does_not_open_the_chat():
    async with door(access=Access(keys=(READER,))) as client:
        value, _ = client.app.site.authenticator.secrets.issue("web", {}, ttl_s=60)
        answer = await client.post("/v1/chat/completions", json=chat(), headers={"authorization": f"Bearer {value}"})
    assert answer.status_code == 403


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["model", "messages", "stream", "user", "metadata", "extra_body", "max_tokens", "models"])
BODIES = st.binary(max_size=40) | st.dictionaries(NAMES, JSON, max_size=8).map(
    lambda document: json.dumps({"model": "demo/fast", **document}).encode()
)


@settings(max_examples=60, deadline=None)
@given(BODIES)
def test_random_bodies_never_give_a_5xx(body):
    async def post():
        sent = await raw(create_app(StandIn()).asgi, [{"type": "http.request", "body": body, "more_body": False}])
        return sent[0]["status"]

    assert asyncio.run(post()) < 500
