"""The real OpenAI SDK against a real server: only the base URL and the key are changed."""

import httpx
import openai
import pytest

HI = [{"role": "user", "content": "say hello world"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_chat(client):
    raw = client.chat.completions.with_raw_response.create(model="demo/fast", messages=HI)
    answer = raw.parse()
    assert "hello world" in answer.choices[0].message.content
    assert answer.usage.total_tokens > 0
    assert (
        answer.model_extra["metadata"]["attempts"][0]["success"]
        if "metadata" in answer.model_extra
        else answer.metadata
    )
    assert raw.headers["x-request-id"]


def test_streaming_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model="demo/fast", messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "hello world" in text
    assert chunks[-1].usage.total_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_tools(client):
    answer = client.chat.completions.create(model="demo/fast", messages=HI, tools=[TOOL], tool_choice="required")
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert answer.choices[0].finish_reason == "tool_calls"
    streamed = client.chat.completions.create(
        model="demo/fast", messages=HI, tools=[TOOL], tool_choice="required", stream=True
    )
    names = [
        c.choices[0].delta.tool_calls[0].function.name for c in streamed if c.choices and c.choices[0].delta.tool_calls
    ]
    assert names[0] == "get_weather"


def test_structured_output(client):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="demo/fast",
        messages=HI,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
    )
    assert '"n"' in answer.choices[0].message.content


def test_extra_body_at_both_places(client):
    premium = {"metadata": {"tier": "premium"}}
    for extra in (premium, {"extra_body": premium}):
        raw = client.chat.completions.with_raw_response.create(model="router/support", messages=HI, extra_body=extra)
        assert raw.headers["x-rr-route"] == "premium"


def test_errors_are_the_sdks_own_classes(url, client):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nobody/knows", messages=HI)
    with pytest.raises(openai.BadRequestError) as empty:
        client.chat.completions.create(model="demo/fast", messages=[])
    stranger = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as denied:
        stranger.models.list()
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert empty.value.param == "messages"
    assert denied.value.code == "invalid_api_key"
    assert missing.value.request_id


def test_a_spent_plan_is_not_repeated_by_the_sdk(url):
    calls = []
    http = httpx.Client(event_hooks={"request": [calls.append]})
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="secret-web", max_retries=2, http_client=http)
    with client, pytest.raises(openai.InternalServerError) as spent:
        client.chat.completions.create(model="demo/down", messages=HI)
    assert len(calls) == 1
    assert spent.value.response.json()["metadata"]["attempts"]


def test_a_cut_stream_raises_in_the_sdk(client):
    with pytest.raises(openai.APIError, match="interrupted"):
        list(client.chat.completions.create(model="demo/cut", messages=HI, stream=True))


def test_models(client):
    assert "demo/fast" in {model.id for model in client.models.list()}
    assert client.models.retrieve("demo/fast").object == "model"


def test_the_record_can_be_read_afterwards(url, client):
    raw = client.chat.completions.with_raw_response.create(model="demo/fast", messages=HI)
    headers = {"authorization": "Bearer secret-web"}
    record = httpx.get(f"{url}/v1/router/requests/{raw.headers['x-request-id']}", headers=headers)
    foreign = httpx.get(record.url, headers={"authorization": "Bearer secret-ops"})
    assert record.status_code == 200
    assert "hello world" not in record.text
    assert foreign.status_code == 404


async def test_async_streams_may_be_left_early(url):
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="secret-web") as client:
        stream = await client.chat.completions.create(
            model="demo/smart", messages=[{"role": "user", "content": "count to 200"}], stream=True
        )
        async for _ in stream:
            break
        await stream.close()
        assert (await client.models.retrieve("auto")).id == "auto"
