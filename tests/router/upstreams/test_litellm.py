import asyncio
import json

import httpx
import pytest

from policies import Outcome, Target, Timeouts
from router import Router
from router.proxy import create_app
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.litellm import LitellmUpstream
from tests.router.upstreams.anthropic_server import TEXT, AnthropicServer
from tests.router.upstreams.calls import chat, deltas, events

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # litellm's own imports warn

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
async def server():
    async with AnthropicServer() as running:
        yield running


@pytest.fixture
async def upstream(server):
    made = LitellmUpstream("anthropic", "sk-ant-secret", base_url=server.base_url, allow_private=True)
    yield made
    await made.aclose()


def ask(model="claude", text="hello", **fields):
    return chat(model, text, provider="anthropic", **fields)


async def drain(reply, seen):
    while part := await reply.read():
        seen.append(part)


async def test_a_json_answer_is_translated_both_ways(upstream, server):
    reply = await upstream.send(ask(max_tokens=50, temperature=0.5, stop=["x"], seed=7))
    answer = json.loads(await reply.body())
    assert reply.status == 200
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 6
    [sent] = server.requests
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("claude", 50, 0.5)
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    assert server.headers[0]["x-api-key"] == "sk-ant-secret"


async def test_a_stream_comes_as_openai_chunks_with_usage_and_done(upstream):
    reply = await upstream.send(ask(stream=True, stream_options={"include_usage": True}))
    chunks = events(await reply.body())
    reply.close()
    assert chunks[-1] == "[DONE]"
    assert deltas(chunks) == TEXT
    assert (
        len([chunk for chunk in chunks[:-1] if chunk["choices"] and chunk["choices"][0]["delta"].get("content")]) == 6
    )
    assert any(chunk["choices"][0]["finish_reason"] == "stop" for chunk in chunks[:-1] if chunk["choices"])
    assert any((chunk.get("usage") or {}).get("completion_tokens") == 6 for chunk in chunks[:-1])


async def test_tools_are_called_in_json_and_in_streams(upstream, server):
    answer = json.loads(await (await upstream.send(ask(tools=[TOOL], tool_choice="required"))).body())
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Rome"})
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert server.requests[0]["tools"][0]["name"] == "get_weather"
    chunks = events(await (await upstream.send(ask(tools=[TOOL], stream=True))).body())
    parts = [part for chunk in chunks[:-1] for part in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert json.loads("".join(part["function"]["arguments"] for part in parts)) == {"city": "Rome"}


@pytest.mark.parametrize(
    "case",
    [
        ("429", 429, "rate_limit_exceeded"),
        ("400", 400, None),
        ("401", 401, "invalid_api_key"),
        ("404", 404, "model_not_found"),
        ("500", 500, None),
        ("529", 529, None),
        ("too-long", 400, "context_length_exceeded"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_come_back_as_the_answers_they_were_and_are_not_retried(upstream, server, case, stream):
    model, status, code = case
    reply = await upstream.send(ask(model, stream=stream))
    error = json.loads(await reply.body())["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert len(server.requests) == 1
    assert error["message"].startswith(("scripted", "prompt is too long"))
    if status == 429:
        assert reply.headers["retry-after"] == "7"


async def test_nobody_can_redirect_the_key_or_mock_an_answer(upstream, server):
    elsewhere = "http://127.0.0.1:9/"
    evil = {
        "api_base": elsewhere,
        "base_url": elsewhere,
        "mock_response": "fake",
        "custom_llm_provider": "openai",
        "extra_headers": {"x-evil": "1"},
        "num_retries": 5,
        "fallbacks": ["x"],
    }
    answer = json.loads(await (await upstream.send(ask(**evil))).body())
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert "x-evil" not in {name.lower() for name in server.headers[0]}


async def test_a_callers_own_key_is_used_instead(upstream, server):
    call = ask()
    call.credential = "sk-of-the-caller"
    await upstream.send(call)
    assert server.headers[0]["x-api-key"] == "sk-of-the-caller"


async def test_a_refused_connection_is_a_fault():
    upstream = LitellmUpstream("anthropic", "k", base_url="http://127.0.0.1:9", allow_private=True)
    with pytest.raises(UpstreamFault) as fault:
        await upstream.send(ask())
    assert fault.value.outcome is Outcome.CONNECT_REFUSED


async def test_a_cut_stream_never_looks_complete(upstream):
    reply = await upstream.send(ask("cut", stream=True))
    seen: list[bytes] = []
    with pytest.raises(UpstreamFault) as fault:
        await drain(reply, seen)
    assert fault.value.outcome is Outcome.TRUNCATED
    assert b'"finish_reason":"stop"' not in b"".join(seen)


async def test_an_error_in_the_stream_is_an_error_event_without_done(upstream):
    chunks = events(await (await upstream.send(ask("overloaded", stream=True))).body())
    assert chunks[-1]["error"]["message"]
    assert deltas(chunks[:-1]) == "Hello from a"


async def test_closing_early_closes_the_providers_connection(upstream, server):
    reply = await upstream.send(ask("hang", stream=True))
    await reply.read()
    reply.close()
    reply.close()
    async with asyncio.timeout(2):
        await server.gone.wait()
    assert await reply.read() == b""


async def test_silence_in_a_stream_is_an_idle_timeout(upstream):
    reply = await upstream.send(ask("hang", stream=True, timeouts=Timeouts(idle_s=0.1)))
    with pytest.raises(UpstreamFault) as fault:
        await drain(reply, [])
    assert fault.value.outcome is Outcome.IDLE_TIMEOUT
    reply.close()


async def test_other_paths_are_a_404():
    upstream = LitellmUpstream("anthropic", "k")
    call = Call(Target("anthropic", "x"), "/audio/speech", b"", None, stream=False, timeouts=Timeouts())
    reply = await upstream.send(call)
    assert reply.status == 404


async def test_a_private_address_needs_permission_and_options_cannot_route():
    upstream = LitellmUpstream("anthropic", "k", base_url="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="is refused: loopback"):
        await upstream.start()
    with pytest.raises(ValueError, match="'model_list' cannot be set here"):
        LitellmUpstream("anthropic", options={"model_list": []})


async def test_the_full_path_from_router_file_to_anthropics_wire_and_back(server, tmp_path):
    (tmp_path / "routers").mkdir()
    (tmp_path / "routers" / "r.yaml").write_text(
        "router: r\ndefault:\n  id: d\n  variants:\n"
        "    - {id: v, weight: 100, model: anthropic/529, fallbacks: [anthropic/claude], parameters: {max_tokens: 9}}\n"
    )
    (tmp_path / "server.yaml").write_text(
        "version: 1\nrecords: {url: null}\nrouters: [routers]\nproviders:\n"
        f"  anthropic: {{kind: litellm, api_key: k, base_url: '{server.base_url}', allow_private: true}}\n"
    )
    router = Router.from_file(tmp_path / "server.yaml")
    document = {"model": "router/r", "messages": [{"role": "user", "content": "hello"}]}
    answer = (await router.complete(document)).document
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert [one["outcome"] for one in answer["metadata"]["attempts"]] == ["overloaded", "success"]
    assert [sent["model"] for sent in server.requests] == ["529", "claude"]
    assert server.requests[1]["max_tokens"] == 9
    stream = await router.stream(document)
    chunks = [chunk async for chunk in stream.chunks()]
    assert deltas(chunks) == TEXT
    assert [one.target.name for one in stream.record.attempts] == ["anthropic/529", "anthropic/claude"]
    assert stream.record.usage["completion_tokens"] == 6
    await router.aclose()


async def test_messages_go_to_anthropics_wire_and_back(server, tmp_path):
    marks = "[{location: message, role: system}, {location: message, index: -1}]"
    (tmp_path / "server.yaml").write_text(
        "version: 1\nrecords: {url: null}\nproviders:\n"
        f"  anthropic: {{kind: litellm, api_key: k, base_url: '{server.base_url}', allow_private: true,\n"
        f"    options: {{cache_control_injection_points: {marks}}}}}\n"
    )
    router = Router.from_file(tmp_path / "server.yaml")
    tool = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    called = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Oslo"}}
    asked = {
        "model": "anthropic/claude", "max_tokens": 99, "system": "be brief", "top_k": 4, "stop_sequences": ["zz"],
        "metadata": {"user_id": "u"}, "tools": [tool], "tool_choice": {"type": "any"},
        "messages": [
            {"role": "user", "content": "weather?"}, {"role": "assistant", "content": [called]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}]}],
    }  # fmt: skip
    transport = httpx.ASGITransport(create_app(router).asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        whole = (await client.post("/v1/messages", json=asked)).json()
        stream = (await client.post("/v1/messages", json=asked | {"stream": True})).text
    (use,) = whole["content"]
    assert (use["name"], use["input"], whole["stop_reason"]) == ("get_weather", {"city": "Rome"}, "tool_use")
    assert '"partial_json":' in stream
    assert '"stop_reason":"tool_use"' in stream
    sent = server.requests[0]
    assert sent["system"] == [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]
    assert (sent["max_tokens"], sent["top_k"], sent["stop_sequences"]) == (99, 4, ["zz"])
    assert (sent["metadata"], sent["tool_choice"]) == ({"user_id": "u"}, {"type": "any"})
    assert sent["messages"][1]["content"] == [called]
    assert sent["messages"][2]["content"][0]["content"] == "sunny"
    assert "cache_control" in str(sent["messages"][2])
    await router.aclose()


async def test_a_provider_that_may_not_be_reached_is_an_outcome_and_never_a_defect():
    upstream = LitellmUpstream("anthropic", "key", base_url="http://127.0.0.1:9")
    with pytest.raises(UpstreamFault) as fault:
        await upstream.send(Call(Target("anthropic", "claude"), "/chat/completions", b"{}", {}, False, Timeouts()))
    assert "cannot be used" in fault.value.message
