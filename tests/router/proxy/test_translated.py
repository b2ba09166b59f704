"""`/v1/responses` and `/v1/messages` over the one core: decision, walk, record and refusals are those of chat."""

import pytest

from router.proxy import Allowance, Caps, Key
from router.records import Recent

from .dialects.spoken import events
from .doors import DOORS, ROUTING, ask, both, error_of, text_in, text_of
from .house import KEYS, house, visitor


@pytest.fixture(scope="module")
def app():
    return house(records=Recent())[0]


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
    app.site.shedding.share = 1.0
    shed = await ask(app, path)
    assert (shed.status_code, error_of(shed)["type"]) == (503, "overloaded_error")


async def test_the_record_can_be_read_afterwards(app):
    async with visitor(app) as client:
        answer = await client.post("/v1/messages", json=DOORS["/v1/messages"])
        record = await client.get(f"/v1/router/requests/{answer.headers['x-request-id']}")
    assert record.status_code == 200
    assert "hello" not in record.text


async def test_coding_agents_are_served_as_they_are(app):
    """What Claude Code and Codex send beside the question, as seen on the wire."""
    function = {
        "type": "function",
        "name": "run",
        "description": "d",
        "strict": False,
        "parameters": {"type": "object"},
    }
    spaced = {"type": "namespace", "name": "team", "description": "d", "tools": [function]}
    codex = await ask(
        app, "/v1/responses", stream=True, store=False, tool_choice="auto", parallel_tool_calls=True,
        include=["reasoning.encrypted_content"], reasoning={"summary": "auto"}, prompt_cache_key="k",
        client_metadata={"turn": "1"}, tools=[function, spaced, {"type": "web_search", "external_web_access": False}],
        input=[{"type": "message", "id": "msg_1", "role": "developer", "content": "x"},
               {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say hello world"}]}],
    )  # fmt: skip
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    claude = await ask(
        app, "/v1/messages?beta=true", stream=True, system=[marked], thinking={"type": "adaptive"},
        output_config={"effort": "high"}, context_management={"edits": []}, metadata={"user_id": '{"device_id": "a"}'},
        tools=[{"name": "Run", "description": "d", "input_schema": {"type": "object"}, "cache_control": {}}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "say hello world"}]},
                  {"role": "system", "content": "be brief"}],
    )  # fmt: skip
    told = events(codex.content), events(claude.content)
    assert [text_in(stream) for stream in told] == ["hello world"] * 2
    warned = [told[0][-1]["response"]["routing"]["warnings"], told[1][-2]["metadata"]["warnings"]]
    assert [[warning["code"] for warning in some] for some in warned] == [
        ["web_search_unavailable", "fields_ignored"], ["thinking_ignored", "fields_ignored"],
    ]  # fmt: skip


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
