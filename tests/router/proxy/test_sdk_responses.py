"""The real OpenAI SDK's `responses` against a real server: only the base URL and the key are changed."""

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(BaseModel):
    """What structured output is to look like."""

    name: str
    age: int


def create(client, **more):
    """A response, its body held against the SDK's own type."""
    raw = client.responses.with_raw_response.create(**({"model": "demo/fast", "input": "say hello world"} | more))
    Response.model_validate(raw.http_response.json(), strict=True)
    return raw.parse()


def test_a_question_is_answered(client):
    response = create(client)
    assert (response.output_text, response.status, response.usage.total_tokens) == ("hello world", "completed", 5)
    assert response.model_extra["routing"]["attempts"][0]["success"]


def test_a_stream_is_the_same_in_pieces(client):
    events = list(client.responses.create(model="demo/fast", input="count to 9", stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert events[0].type == "response.created"
    assert (events[-1].type, events[-1].response.output_text) == ("response.completed", text)
    assert events[-1].response.model_extra["routing"]["attempts"]


def test_the_streaming_convenience_keeps_up(client):
    with client.responses.stream(model="demo/fast", input="say hello world") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert final.output_text == "hello world"
    assert {"response.output_text.delta", "response.output_text.done"} <= kinds


def test_tools_are_called_and_their_results_told(client):
    asked = [{"role": "user", "content": "use get_weather for the city paris"}]
    first = create(client, input=asked, tools=[TOOL])
    (call,) = first.output
    assert (call.type, call.name, call.arguments) == ("function_call", "get_weather", '{"city": "paris"}')
    told = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny in paris"}
    second = create(client, input=[*asked, call.to_dict(), told], tools=[TOOL])
    assert second.output_text == "get_weather says: sunny in paris."


def test_tools_are_called_in_a_stream(client):
    with client.responses.stream(model="demo/fast", input="hi", tools=[TOOL], tool_choice="required") as stream:
        deltas = [event.snapshot for event in stream if event.type == "response.function_call_arguments.delta"]
        (call,) = stream.get_final_response().output
    assert call.arguments == deltas[-1]
    assert call.name == "get_weather"


def test_structured_output_is_parsed(client):
    response = client.responses.parse(model="demo/fast", input="hi", text_format=Person)
    assert isinstance(response.output_parsed, Person)


def test_an_answer_cut_short_is_incomplete(client):
    response = create(client, input="count to 50", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_errors_are_the_sdks_own_classes(client):
    with pytest.raises(openai.BadRequestError) as stored:
        client.responses.create(model="demo/fast", input="hi", previous_response_id="resp_1")
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.retrieve("resp_1")
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="demo/down", input="hi", stream=True)
    assert (stored.value.param, missing.value.code) == ("previous_response_id", "response_not_found")


def test_a_cut_stream_ends_as_failed(client):
    events = list(client.responses.create(model="demo/cut", input="count to 60", stream=True))
    assert (events[-1].type, events[-1].response.error.code) == ("response.failed", "server_error")


async def test_streams_may_be_left_early(url):
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="secret-web") as client:
        async with await client.responses.create(model="demo/smart", input="count to 200", stream=True) as stream:
            async for _ in stream:
                break
        assert (await client.responses.create(model="demo/fast", input="say yes")).output_text == "yes"
