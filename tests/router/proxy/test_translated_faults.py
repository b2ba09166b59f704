"""`/v1/responses` and `/v1/messages` when something is wrong: with the provider, the request, the client or us."""

import asyncio
import re

import orjson
import pytest

from policies import Limits, RoutingTable, Targets, Timeouts
from router import Completion, Router, State
from router.proxy import Caps, create_app
from router.proxy.translated import parsed
from router.records import Recent
from router.upstreams.scripted import ScriptedUpstream

from .dialects.spoken import events
from .doors import BREAKS, DOORS, ROUTING, ask, both, error_of, text_in
from .house import house, visitor
from .stand_in import Pieces, StandIn, door, raw


@pytest.fixture(scope="module")
def app():
    return house(records=Recent())[0]


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
