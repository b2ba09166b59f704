"""The real Anthropic SDK against a real server: only the base URL and the key are changed."""

import anthropic
import pytest
from anthropic.types import Message

HI = [{"role": "user", "content": "say hello world"}]
TOOL = {
    "name": "get_weather",
    "description": "weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(url):
    with anthropic.Anthropic(base_url=url, api_key="secret-web", max_retries=0) as client:
        yield client


def create(client, **more):
    """A message, its body held against the SDK's own type."""
    asked = {"model": "demo/fast", "max_tokens": 100, "messages": HI} | more
    raw = client.messages.with_raw_response.create(**asked)
    Message.model_validate(raw.http_response.json(), strict=True)
    return raw.parse()


def test_a_question_is_answered(client):
    message = create(client, system="be brief")
    assert (message.content[0].text, message.stop_reason) == ("hello world", "end_turn")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 2)
    assert message.model_extra["metadata"]["attempts"][0]["success"]
    assert message._request_id


def test_a_bearer_token_opens_too(url):
    with anthropic.Anthropic(base_url=url, auth_token="secret-web") as client:
        assert create(client).content[0].text == "hello world"


def test_a_stream_is_the_same_in_pieces(client):
    with client.messages.stream(model="demo/fast", max_tokens=100, messages=HI) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == "hello world"
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 3, 2)


def test_tools_are_called_and_their_results_told(client):
    asked = [{"role": "user", "content": "use get_weather for the city paris"}]
    first = create(client, messages=asked, tools=[TOOL])
    (call,) = first.content
    assert (call.name, call.input, first.stop_reason) == ("get_weather", {"city": "paris"}, "tool_use")
    told = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny in paris"}
    answered = {"role": "assistant", "content": [block.to_dict() for block in first.content]}
    second = create(client, messages=[*asked, answered, {"role": "user", "content": [told]}], tools=[TOOL])
    assert second.content[0].text == "get_weather says: sunny in paris."


def test_tools_are_called_in_a_stream(client):
    asked = {"model": "demo/fast", "max_tokens": 100, "messages": HI, "tools": [TOOL]}
    with client.messages.stream(**asked, tool_choice={"type": "any"}) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        (call,) = stream.get_final_message().content
    assert (call.name, call.input) == ("get_weather", {"city": "world"})
    assert "".join(pieces) == '{"city": "world"}'


def test_an_answer_cut_short_says_so(client):
    assert (
        create(client, max_tokens=3, messages=[{"role": "user", "content": "count to 9"}]).stop_reason == "max_tokens"
    )


def test_tokens_are_counted(client):
    assert client.messages.count_tokens(model="demo/fast", messages=HI, tools=[TOOL]).input_tokens > 20


def test_errors_are_the_sdks_own_classes(url, client):
    with pytest.raises(anthropic.BadRequestError) as wrong:
        create(client, messages=[])
    with pytest.raises(anthropic.NotFoundError) as missing:
        create(client, model="nobody/knows")
    with pytest.raises(anthropic.InternalServerError) as down:
        create(client, model="demo/down")
    stranger = anthropic.Anthropic(base_url=url, api_key="wrong", max_retries=0)
    with stranger, pytest.raises(anthropic.AuthenticationError) as denied:
        create(stranger)
    for error, kind in (
        (wrong, "invalid_request_error"), (missing, "not_found_error"), (down, "overloaded_error"),
        (denied, "authentication_error"),
    ):  # fmt: skip
        assert error.value.body["error"]["type"] == kind
        assert error.value.request_id
    assert down.value.body["metadata"]["attempts"]


def test_a_cut_stream_raises_in_the_sdk(client):
    asked = {"model": "demo/cut", "max_tokens": 100, "messages": [{"role": "user", "content": "count to 60"}]}
    with client.messages.stream(**asked) as stream, pytest.raises(anthropic.APIStatusError, match="interrupted"):
        stream.until_done()


async def test_streams_may_be_left_early(url):
    async with anthropic.AsyncAnthropic(base_url=url, api_key="secret-web") as client:
        asked = {"model": "demo/smart", "max_tokens": 900, "messages": [{"role": "user", "content": "count to 200"}]}
        async with client.messages.stream(**asked) as stream:
            async for _ in stream.text_stream:
                break
        answer = await client.messages.create(model="demo/fast", max_tokens=9, messages=HI)
        assert answer.content[0].text == "hello world"
