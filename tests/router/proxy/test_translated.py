"""`/v1/responses` and `/v1/messages` over the one core: decision, walk, record and refusals are those of chat."""

import asyncio
import re

import orjson
import pytest

from policies import Limits, RoutingTable, Targets, Timeouts
from router import Completion, Router, State
from router.proxy import Allowance, Caps, Key, create_app
from router.proxy.translated import parsed
from router.records import Recent
from router.upstreams.scripted import ScriptedUpstream

from .dialects.spoken import events
from .house import KEYS, house, visitor
from .stand_in import Pieces, StandIn, door, raw

DOORS = {
    "/v1/responses": {"model": "demo/fast", "input": "say hello world"},
    "/v1/messages": {
        "model": "demo/fast",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "say hello world"}],
    },
}
ROUTING = {"/v1/responses": "routing", "/v1/messages": "metadata"}
BREAKS = {"/v1/responses": "response.failed", "/v1/messages": "error"}
both = pytest.mark.parametrize("path", sorted(DOORS))


@pytest.fixture(scope="module")
def app():
    return house(records=Recent())[0]


async def ask(app, path, *, key="secret-web", headers=None, **more):
    async with visitor(app, key) as client:
        return await client.post(path, json=DOORS[path] | more, headers=headers or {})


def text_of(answer):
    output = answer.get("output") or [answer]
    return "".join(part.get("text", "") for item in output for part in item.get("content") or ())


def text_in(stream):
    deltas = [
        event["delta"] for event in stream if event["type"] in ("response.output_text.delta", "content_block_delta")
    ]
    return "".join(delta["text"] if isinstance(delta, dict) else delta for delta in deltas)


def error_of(answer):
    """(type, message) in whichever envelope."""
    body = answer.json()
    assert body["error"].keys() == ({"type", "message"} if body.get("type") else {"type", "message", "param", "code"})
    return body["error"]


@both
async def test_the_record_rides_on_the_answer(app, path):
    answer = await ask(app, path)
    routing = answer.json()[ROUTING[path]]
    assert text_of(answer.json()) == "hello world"
    assert [attempt["model"] for attempt in routing["attempts"]] == ["demo/fast"]
    assert answer.headers["x-rr-model"] == "demo/fast"
    assert answer.json()["id"].endswith(routing["generation_id"].replace("-", ""))


@both
async def test_a_stream_says_the_same(app, path):
    answer = await ask(app, path, stream=True)
    stream = events(answer.content)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text_in(stream) == "hello world"
    last = next(event for event in reversed(stream) if ROUTING[path] in event)
    assert last[ROUTING[path]]["attempts"][0]["success"]
    assert b"[DONE]" not in answer.content


@both
@pytest.mark.parametrize("stream", [False, True])
async def test_a_fallback_before_the_first_word_is_seen_in_the_record_alone(app, path, stream):
    answer = await ask(app, path, model="router/rescued", stream=stream)
    told = events(answer.content) if stream else [answer.json()]
    routing = next(event[ROUTING[path]] for event in told if ROUTING[path] in event)
    assert [attempt["success"] for attempt in routing["attempts"]] == [False, True]
    assert routing["variant_id"] == "only"


@both
@pytest.mark.parametrize("place", ["top", "extra_body"])
async def test_routing_fields_are_read_at_both_places(app, path, place):
    fields = {"metadata": {"tier": "premium"}}
    answer = await ask(app, path, model="router/support", **(fields if place == "top" else {"extra_body": fields}))
    assert answer.headers["x-rr-route"] == "premium"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/v1/responses", {"user": "u-7"}),
        ("/v1/responses", {"safety_identifier": "u-7"}),
        ("/v1/messages", {"user": "u-7"}),
        ("/v1/messages", {"metadata": {"user_id": "u-7"}}),
    ],
)
async def test_a_unit_keeps_its_variant(app, path, unit):
    chat = {"model": "router/support", "messages": [{"role": "user", "content": "hi"}], "user": "u-7"}
    async with visitor(app) as client:
        variant = (await client.post("/v1/chat/completions", json=chat)).headers["x-rr-variant"]
    answers = [await ask(app, path, model="router/support", **unit) for _ in range(4)]
    assert {answer.headers["x-rr-variant"] for answer in answers} == {variant}
    assert answers[0].json()[ROUTING[path]]["sticky"]


@both
async def test_a_stream_that_breaks_says_so_and_ends(app, path):
    stream = events((await ask(app, path, model="scripted/cut-4", stream=True)).content)
    assert stream[-1]["type"] == BREAKS[path]
    assert len(text_in(stream).split()) == 4
    report = stream[-1][ROUTING[path]]
    assert report["attempts"][-1]["outcome"] == "truncated"
    assert [event["type"] for event in stream].count(BREAKS[path]) == 1


@both
@pytest.mark.parametrize(
    "model", ["malformed-3", "odd-sse", "bad-utf8", "choice-3", "no-done-close", "late", "no-usage"]
)
async def test_odd_streams_become_right_ones(app, path, model):
    stream = events((await ask(app, path, model=f"scripted/{model}", stream=True)).content)
    assert stream[-1]["type"] in ("response.completed", "message_stop")
    assert len(text_in(stream).split()) >= 57


@both
@pytest.mark.parametrize(
    "model", ["deep-json", "null-content", "html", "odd-usage", "error-json", "tool-cut", "bad-utf8"]
)
async def test_odd_answers_are_never_a_defect(app, path, model):
    answer = await ask(app, path, model=f"scripted/{model}")
    assert answer.status_code in (200, 502)
    assert answer.json()


@both
@pytest.mark.parametrize("stream", [False, True])
async def test_when_nobody_answers_the_status_and_the_attempts_are_told(app, path, stream):
    answer = await ask(app, path, model="scripted/503", stream=stream)
    assert answer.status_code == 503
    assert error_of(answer)["type"] == ("overloaded_error" if path == "/v1/messages" else "upstream_error")
    assert answer.json()["metadata"]["attempts"]
    assert answer.headers["x-should-retry"] == "false"


@both
@pytest.mark.parametrize(
    ("change", "status", "kinds"),
    [
        ({"model": "nobody/knows"}, 404, {"not_found_error", "invalid_request_error"}),
        ({"model": None}, 400, {"invalid_request_error"}),
        ({"temperature": "hot"}, 400, {"invalid_request_error"}),
        ({"metadata": {"a": {"b": 1}}}, 400, {"invalid_request_error"}),
        ({"models": "x"}, 400, {"invalid_request_error"}),
        ({"fallback": {"ttft_timeout": "1ms"}}, 400, {"invalid_request_error"}),
        ({"user": "u" * 600}, 400, {"invalid_request_error"}),
        ({"tools": {}}, 400, {"invalid_request_error"}),
    ],
)
async def test_what_cannot_be_is_refused_in_the_apis_envelope(app, path, change, status, kinds):
    answer = await ask(app, path, **change)
    assert answer.status_code == status
    assert error_of(answer)["type"] in kinds
    named = next(iter(change)) if change != {"model": "nobody/knows"} else "nobody"
    assert named in answer.text


@both
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"model":"demo/fast","input":' + b"[" * 600 + b"]" * 600 + b"}"]
)
async def test_a_body_that_is_no_request_is_refused(app, path, body):
    async with visitor(app) as client:
        answer = await client.post(path, content=body)
    assert answer.status_code == 400
    assert error_of(answer)["message"]


@both
@pytest.mark.parametrize("depth", range(238, 256, 2))
async def test_no_depth_of_a_schema_is_a_defect(app, path, depth):
    schema = {}
    for _ in range(depth):
        schema = {"a": schema}
    tool = (
        {"type": "function", "name": "f", "parameters": schema}
        if "resp" in path
        else {"name": "f", "input_schema": schema}
    )
    for stream in (False, True):
        answer = await ask(app, path, tools=[tool], stream=stream)
        assert answer.status_code in (200, 400)


@both
async def test_keys_scopes_and_limits_are_those_of_chat(path):
    tight = Key("tight", "secret-tight", routers=("support",), allowance=Allowance(rpm=2))
    app, _ = house(keys=(*KEYS, tight), caps=Caps(body_bytes=2000))
    assert (await ask(app, path, key=None)).status_code == 401
    assert (await ask(app, path, key=None, headers={"x-api-key": "secret-web"})).status_code == 200
    assert (await ask(app, path, key=None, headers={"x-api-key": "wrong"})).status_code == 401
    assert (await ask(app, path, odd="x" * 3000)).status_code == 413
    assert (await ask(app, path, headers={"x-rr-variant": "a"})).status_code == 403
    assert (await ask(app, path, key="secret-tight", model="router/rescued")).status_code == 404
    answers = [await ask(app, path, key="secret-tight") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"
    assert error_of(answers[2])["type"] == "rate_limit_error"
    app.site.shedding._why = "memory is nearly full"
    shed = await ask(app, path)
    assert (shed.status_code, error_of(shed)["type"]) == (503, "overloaded_error")


@both
async def test_our_own_defect_says_nothing_internal(path):
    async with door() as client:
        answer = await client.post(path, json=DOORS[path] | {"model": "demo/defect"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert error_of(answer)["type"] == ("api_error" if path == "/v1/messages" else "server_error")


@both
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_cancels_the_upstream(path, stream):
    router = StandIn()
    async with door(router) as client:
        app = client.app.asgi
    body = orjson.dumps(DOORS[path] | {"model": "demo/slow", "stream": stream})

    async def leaves():
        while not router.calls:
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}

    sent = await raw(app, [{"type": "http.request", "body": body}, leaves], path=path)
    assert router.cancelled == 1
    assert sent == []


@both
async def test_a_refusal_after_the_first_ping_is_told_in_the_stream(path):
    app, _ = house(caps=Caps(ping_s=0.01))
    more = {"models": ["scripted/503"], "fallback": {"ttft_timeout": "300ms"}}
    answer = await ask(app, path, model="scripted/hang", stream=True, **more)
    found = re.sub(rb"^(: ping\n\n)+", b"", answer.content)
    assert answer.status_code == 200
    stream = events(found)
    assert stream[-1]["type"] == BREAKS[path]
    assert len(stream[-1][ROUTING[path]]["attempts"]) >= 2


async def test_the_record_can_be_read_afterwards(app):
    async with visitor(app) as client:
        answer = await client.post("/v1/messages", json=DOORS["/v1/messages"])
        record = await client.get(f"/v1/router/requests/{answer.headers['x-request-id']}")
    assert record.status_code == 200
    assert "hello" not in record.text


async def test_tokens_are_counted_without_asking_anybody(app):
    asked = {name: value for name, value in DOORS["/v1/messages"].items() if name != "max_tokens"}
    async with visitor(app) as client:
        counted = await client.post("/v1/messages/count_tokens", json=asked)
        wrong = await client.post("/v1/messages/count_tokens", json=asked | {"messages": 3})
        stranger = await client.post("/v1/messages/count_tokens", json=asked, headers={"authorization": "Bearer x"})
    assert (counted.status_code, counted.json()) == (200, {"input_tokens": 8})
    assert (wrong.status_code, wrong.json()["type"]) == (400, "error")
    assert stranger.status_code == 401


async def test_tokens_of_a_response_are_counted_too(app):
    async with visitor(app) as client:
        counted = await client.post("/v1/responses/input_tokens", json=DOORS["/v1/responses"])
        wrong = await client.post("/v1/responses/input_tokens", json={"model": "demo/fast"})
    assert counted.json() == {"object": "response.input_tokens", "input_tokens": 8}
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "input")


@both
async def test_a_stream_may_be_gone_on_with_elsewhere(path):
    limits = Limits(timeouts=Timeouts(first_token_s=5, idle_s=5, total_s=20), on_interrupt="continue")
    table = RoutingTable(Targets(["scripted"]), limits=limits)
    app = create_app(Router(State(table, {"scripted": ScriptedUpstream()})))
    answer = await ask(app, path, key=None, model="scripted/cut-20", models=["scripted/ok"], stream=True)
    stream = events(answer.content)
    assert len(text_in(stream).split()) == 60
    kinds = [event["type"] for event in stream]
    assert kinds.count("response.output_item.added") + kinds.count("content_block_start") == 1
    report = next(event[ROUTING[path]] for event in stream if ROUTING[path] in event)
    assert [attempt["success"] for attempt in report["attempts"]] == [False, True]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a":"x"}', {"a": "x"}),
        (b'{"a":"\\ud83d \\ud83d\\ude00"}', {"a": "? \U0001f600"}),
        (b"[1]", None),
        (b'{"a":NaN}', None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_half_a_character_is_no_end(content, expected):
    assert parsed(content) == expected


@both
async def test_an_answer_that_cannot_be_read_is_the_providers_fault(path):
    router = StandIn()

    async def complete(document, caller):
        return Completion(200, b"[]", router.record(document, caller))

    router.complete = complete
    async with door(router) as client:
        answer = await client.post(path, json=DOORS[path])
    assert (answer.status_code, error_of(answer)["message"]) == (502, "The provider's answer cannot be read.")
    assert answer.json()["metadata"]["attempts"]


@both
async def test_chunks_of_another_shape_are_passed_over(path):
    router = StandIn()
    said = b'data: 3\n\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'

    async def stream(document, caller):
        return Pieces(router, router.record(document, caller), [said], pause_s=0)

    router.stream = stream
    async with door(router) as client:
        answer = await client.post(path, json=DOORS[path] | {"stream": True})
    assert text_in(events(answer.content)) == "a"


async def test_stored_responses_are_not_found(app):
    async with visitor(app) as client:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            answer = await client.request(method, f"/v1/responses/resp_1{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "response_not_found")
    async with visitor(app, None) as client:
        assert (await client.get("/v1/responses/resp_1")).status_code == 401


async def test_other_methods_and_paths_wear_the_envelope_of_their_api(app):
    async with visitor(app) as client:
        wrong = await client.get("/v1/messages")
        unknown = await client.post("/v1/messages/batches", json={})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (405, "invalid_request_error")
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")
    assert unknown.json()["request_id"] == unknown.headers["x-request-id"]
