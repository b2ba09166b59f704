"""The proxy in front of the real routing core."""

import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.proxy import Allowance, Key

from .house import house, visitor
from .stand_in import chat


async def test_an_answer_comes_through_with_its_record():
    app, _ = house()
    async with visitor(app) as client:
        answer = await client.post("/v1/chat/completions", json=chat(user="u1", model="router/support"))
    assert answer.status_code == 200
    metadata = answer.json()["metadata"]
    assert (metadata["router"], metadata["route_id"], metadata["sticky"]) == ("support", "split", True)
    assert answer.headers["x-rr-variant"] == metadata["variant_id"]
    assert float(answer.headers["x-rr-cost-usd"]) > 0


async def test_a_fallback_is_seen_in_the_record_and_the_headers():
    app, _ = house()
    async with visitor(app) as client:
        whole = await client.post("/v1/chat/completions", json=chat("router/rescued"))
        streamed = await client.post("/v1/chat/completions", json=chat("router/rescued", stream=True))
    assert [one["success"] for one in whole.json()["metadata"]["attempts"]] == [False, True]
    for answer in (whole, streamed):
        assert (answer.headers["x-rr-attempts"], answer.headers["x-rr-model"]) == ("2", "demo/fast")
    last = orjson.loads(streamed.text.split("data: ")[-2])
    assert [one["model"] for one in last["metadata"]["attempts"]] == ["demo/down", "demo/fast"]
    assert streamed.text.endswith("data: [DONE]\n\n")


async def test_routing_fields_work_at_both_places_and_reach_no_provider():
    app, scripted = house()
    scripted.journal.keep_bodies = True
    inner = {"metadata": {"tier": "premium"}, "prompt_variables": {"a": "b"}}
    async with visitor(app) as client:
        nested = await client.post("/v1/chat/completions", json=chat("router/support", extra_body=inner))
        outer = await client.post("/v1/chat/completions", json=chat("router/support", metadata={"tier": "premium"}))
    assert nested.headers["x-rr-route"] == outer.headers["x-rr-route"] == "premium"


async def test_a_limited_key_is_not_told_the_names_of_other_routers():
    app, _ = house(keys=(Key("web", "secret-web", routers=("support",)),))
    async with visitor(app) as client:
        for model in ("router/nowhere", "router/rescued", "router/rescuedd", "rescued"):
            answer = await client.post("/v1/chat/completions", json=chat(model))
            assert answer.status_code == 404
            assert "strict" not in answer.text
            assert "did you mean" not in answer.text


async def test_refusals_of_the_core_keep_their_face():
    app, _ = house()
    async with visitor(app) as client:
        model = await client.post("/v1/chat/completions", json=chat("nobody/knows"))
        router = await client.post("/v1/chat/completions", json=chat("router/nowhere"))
        route = await client.post("/v1/chat/completions", json=chat("router/strict"))
        spent = await client.post("/v1/chat/completions", json=chat("demo/down"))
        ttft = await client.post("/v1/chat/completions", json=chat(fallback={"ttft_timeout": "1ms"}))
    assert (model.status_code, model.json()["error"]["code"]) == (404, "model_not_found")
    assert (router.status_code, router.json()["error"]["code"]) == (404, "router_not_found")
    assert (route.status_code, route.json()["error"]["code"]) == (400, "no_route_matched")
    assert route.json()["error"]["message"] == "No route matched. Configure a default route or adjust conditions."
    assert (spent.status_code >= 502, spent.headers["x-should-retry"]) == (True, "false")
    assert spent.json()["metadata"]["attempts"][0]["success"] is False
    assert (ttft.status_code, ttft.json()["error"]["param"]) == (400, "fallback.ttft_timeout")


async def test_explain_calls_nothing_and_takes_two_milliseconds():
    app, scripted = house()
    calls = len(scripted.journal.seen)
    document = {"model": "router/support", "user": "u1", "metadata": {"tier": "premium"}}
    async with visitor(app) as client:
        answer = await client.post("/v1/router/explain", json=document)
    assert answer.json()["decision"]["route_id"] == "premium"
    assert answer.json()["decision"]["conditions"][0]["matched"] is True
    assert len(scripted.journal.seen) == calls == 0
    router = app.site.router
    best_s = 1.0
    for _ in range(20):
        started_s = time.perf_counter()
        orjson.dumps(router.explain(document))
        best_s = min(best_s, time.perf_counter() - started_s)
    assert best_s < 0.002


async def test_models_come_from_the_routers_own_table():
    app, _ = house()
    async with visitor(app) as client:
        ids = {row["id"] for row in (await client.get("/v1/models")).json()["data"]}
    assert {"auto", "router/support", "inworld/support", "demo/fast"} <= ids


async def test_readiness_shows_what_was_seen_of_targets():
    app, _ = house()
    async with visitor(app) as client:
        await client.post("/v1/chat/completions", json=chat())
        ready = await client.get("/readyz")
    assert ready.json()["targets"]["demo/fast"]["state"] == "ok"


async def test_embeddings_pass_under_the_same_plan():
    app, _ = house()
    async with visitor(app) as client:
        answer = await client.post("/v1/embeddings", json={"model": "demo/fast", "input": "x"})
    assert answer.status_code < 500
    assert answer.headers["x-rr-attempts"] == "1"


async def test_a_passed_through_call_that_fails_shows_its_attempts():
    app, _ = house()
    async with visitor(app) as client:
        answer = await client.post("/v1/embeddings", json={"model": "demo/down", "input": "x"})
    assert answer.status_code >= 502
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["metadata"]["attempts"][0]["model"] == "demo/down"


async def test_tokens_of_a_stream_are_settled_by_its_usage():
    key = Key("web", "secret-web", allowance=Allowance(tpm=10_000))
    app, _ = house(keys=(key,))
    async with visitor(app) as client:
        first = await client.post("/v1/chat/completions", json=chat(stream=True, max_tokens=5000))
        second = await client.post("/v1/chat/completions", json=chat(max_tokens=5000))
        failed = await client.post("/v1/chat/completions", json=chat("demo/down", max_tokens=5000))
        last = await client.post("/v1/chat/completions", json=chat(max_tokens=5000))
    assert first.headers["x-ratelimit-remaining-tokens"].startswith("49")
    assert [second.status_code, last.status_code] == [200, 200]
    assert failed.status_code >= 502


async def test_forcing_a_variant_is_for_keys_that_write():
    app, _ = house()
    async with visitor(app, "secret-ops") as client:
        seen = set()
        for name in ("a", "b"):
            document = chat("router/support", user="u1")
            answer = await client.post("/v1/chat/completions", json=document, headers={"x-rr-variant": name})
            seen.add(answer.headers["x-rr-variant"])
    assert seen == {"a", "b"}


@pytest.mark.parametrize("name", ["dns", "http_500", "truncated", "html_200", "empty"])
async def test_every_fault_is_an_envelope(name):
    app, _ = house()
    async with visitor(app) as client:
        answer = await client.post("/v1/chat/completions", json=chat(f"scripted/{name}"))
    if answer.status_code != 200:
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert "metadata" in answer.json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ROUTING = st.sampled_from(
    ["models", "sort", "ignore", "provider", "fallback", "metadata", "prompt_variables", "reasoning", "web_search",
     "extra_body", "user", "stream", "stream_options", "tools", "provider_credentials", "max_tokens", "n"]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(ROUTING, JSON, max_size=5), st.sampled_from(["demo/fast", "router/support", "auto", "fast"]))
def test_random_routing_fields_never_give_a_5xx(fields, model):
    import asyncio

    async def post():
        app, _ = house()
        async with visitor(app) as client:
            explain = await client.post("/v1/router/explain", json={**fields, "model": model, "messages": []})
            return explain.status_code

    assert asyncio.run(post()) < 500


async def test_the_wait_for_a_streams_first_token_is_not_our_own_time():
    app, _ = house()
    async with visitor(app) as client:
        answer = await client.post("/v1/chat/completions", json=chat("demo/smart", stream=True))
    assert float(answer.headers["openai-processing-ms"]) >= 140
    assert float(answer.headers["x-rr-overhead-ms"]) < 100
