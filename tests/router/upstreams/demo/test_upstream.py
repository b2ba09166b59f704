import json

import jsonschema
import pytest

from policies import Outcome, Target, Timeouts
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.demo import PERSONALITIES, DemoUpstream
from tests.router.upstreams.calls import chat, deltas, events
from tests.router.upstreams.clock import VirtualTime

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "name of the town"}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


@pytest.fixture
def time():
    return VirtualTime()


@pytest.fixture
def demo(time):
    return DemoUpstream(time.clock, wall_s=lambda: 1_800_000_000.5)


async def answer(demo, call):
    reply = await demo.send(call)
    return json.loads(await reply.body())


async def stream(demo, call):
    reply = await demo.send(call)
    assert reply.headers["content-type"].startswith("text/event-stream")
    return events(await reply.body())


async def test_a_json_answer_is_a_chat_completion(demo, time):
    completion = await answer(demo, chat("fast", "say one two three"))
    assert completion["object"] == "chat.completion"
    assert completion["system_fingerprint"] == "demo"
    assert completion["created"] == 1_800_000_000
    assert completion["choices"][0]["message"]["content"] == "one two three"
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"] == {
        "prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7, "counted_in": "whitespace_tokens",
    }  # fmt: skip
    assert time.now_s == pytest.approx(0.020 + 3 / 200)


async def test_a_stream_says_the_same_word_by_word_at_its_pace(demo, time):
    reply = await demo.send(chat("fast", "say one two three", stream=True, stream_options={"include_usage": True}))
    assert time.now_s == 0
    first = events(await reply.read())
    assert time.now_s == pytest.approx(0.020)
    assert deltas(first) == "one"
    rest = events(await reply.body())
    assert time.now_s == pytest.approx(0.035)
    assert deltas(first + rest) == "one two three"
    assert rest[-1] == "[DONE]"
    assert rest[-2]["choices"] == []
    assert rest[-2]["usage"]["completion_tokens"] == 3
    assert rest[-3]["choices"][0]["finish_reason"] == "stop"
    assert all(chunk["usage"] is None for chunk in (*first, *rest[:-2]))
    assert await reply.read() == b""


async def test_a_stream_without_include_usage_has_none(demo):
    chunks = await stream(demo, chat("fast", stream=True))
    assert all("usage" not in chunk for chunk in chunks[:-1])


async def test_the_text_is_deterministic_and_ids_are_unique(demo):
    one, two = [await answer(demo, chat("smart", "tell me a story")) for _ in range(2)]
    assert one["choices"] == two["choices"]
    assert one["id"] != two["id"]


async def test_every_third_call_of_flaky_fails_and_down_always_does(demo):
    statuses = [(await demo.send(chat("flaky"))).status for _ in range(6)]
    assert statuses == [200, 200, 503, 200, 200, 503]
    assert [(await demo.send(chat("down"))).status for _ in range(2)] == [503, 503]


async def test_slow_takes_five_seconds_to_its_first_token(demo, time):
    reply = await demo.send(chat("slow", stream=True))
    await reply.read()
    assert time.now_s == pytest.approx(5.0)


async def test_an_idle_timer_and_a_total_timer_cut_the_slow_one(demo, time):
    reply = await demo.send(chat("slow", stream=True, timeouts=Timeouts(idle_s=2)))
    with pytest.raises(UpstreamFault) as fault:
        await reply.read()
    assert fault.value.outcome is Outcome.IDLE_TIMEOUT
    with pytest.raises(UpstreamFault) as fault:
        await demo.send(chat("slow", timeouts=Timeouts(total_s=1)))
    assert fault.value.outcome is Outcome.HEADER_TIMEOUT
    assert time.now_s == pytest.approx(3.0)


async def test_cut_ends_after_twenty_tokens_without_a_finish(demo):
    chunks = await stream(demo, chat("cut", "count to forty", stream=True))
    assert len(deltas(chunks).split()) == 20
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)


async def test_an_unknown_model_is_a_404_that_names_the_known_ones(demo):
    reply = await demo.send(chat("best"))
    error = json.loads(await reply.body())["error"]
    assert reply.status == 404
    assert error["code"] == "model_not_found"
    assert all(name in error["message"] for name in PERSONALITIES)


@pytest.mark.parametrize("messages", [None, [], "hello", {}])
async def test_messages_that_are_no_list_are_a_400(demo, messages):
    reply = await demo.send(chat("fast", messages=messages))
    assert reply.status == 400
    assert json.loads(await reply.body())["error"]["param"] == "messages"


async def test_a_limit_of_tokens_ends_with_length(demo):
    for key in ("max_tokens", "max_completion_tokens"):
        completion = await answer(demo, chat("fast", "count to ten", **{key: 3}))
        assert completion["choices"][0]["message"]["content"] == "one, two, three,"
        assert completion["choices"][0]["finish_reason"] == "length"


async def test_stop_words_end_the_text_before_them(demo):
    for stop in (" three", ["xyz", " three"]):
        completion = await answer(demo, chat("fast", "say one two three four", stop=stop))
        assert completion["choices"][0]["message"]["content"] == "one two"


async def test_n_choices_are_answered_and_counted(demo):
    completion = await answer(demo, chat("fast", "say hi", n=3))
    assert [choice["index"] for choice in completion["choices"]] == [0, 1, 2]
    assert completion["usage"]["completion_tokens"] == 3
    chunks = await stream(demo, chat("fast", "say hi", n=2, stream=True))
    assert [deltas(chunks, index) for index in (0, 1)] == ["hi", "hi"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
async def test_a_required_tool_is_always_called(demo, choice):
    completion = await answer(demo, chat("fast", "hello in Rome", tools=[WEATHER], tool_choice=choice))
    [call] = completion["choices"][0]["message"]["tool_calls"]
    assert completion["choices"][0]["finish_reason"] == "tool_calls"
    assert completion["choices"][0]["message"]["content"] is None
    assert json.loads(call["function"]["arguments"]) == {"city": "Rome"}


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("use get_weather for Oslo", ["get_weather"]),
        ("what is the weather in Oslo", ["get_weather"]),
        ("the name of the town is Oslo", ["get_weather"]),
        ("weather and time in Oslo", ["get_weather", "get_time"]),
        ("hello Oslo", []),
    ],
)
async def test_auto_calls_what_the_text_names(demo, text, called):
    completion = await answer(demo, chat("fast", text, tools=[WEATHER, TIME]))
    calls = completion["choices"][0]["message"].get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == called


async def test_tool_choice_none_parallel_off_and_allowed_tools_are_respected(demo):
    text = "weather and time in Oslo"
    none = await answer(demo, chat("fast", text, tools=[WEATHER, TIME], tool_choice="none"))
    assert "tool_calls" not in none["choices"][0]["message"]
    one = await answer(demo, chat("fast", text, tools=[WEATHER, TIME], parallel_tool_calls=False))
    assert len(one["choices"][0]["message"]["tool_calls"]) == 1
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME]}}
    allowed = await answer(demo, chat("fast", "hello", tools=[WEATHER, TIME], tool_choice=choice))
    assert allowed["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "get_time", "arguments": "{}"}


async def test_streamed_tool_calls_join_to_the_same_arguments(demo):
    call = chat("fast", "weather in Rome", tools=[WEATHER], stream=True)
    chunks = await stream(demo, call)
    parts = [
        part for chunk in chunks[:-1] for choice in chunk["choices"] for part in choice["delta"].get("tool_calls", [])
    ]
    assert parts[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert json.loads("".join(part["function"]["arguments"] for part in parts)) == {"city": "Rome"}


async def test_a_tool_result_is_read_back_even_when_tools_are_offered(demo):
    messages = [
        {"role": "user", "content": "weather in Rome"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
    ]
    completion = await answer(demo, chat("fast", messages=messages, tools=[WEATHER]))
    assert completion["choices"][0]["message"]["content"] == "get_weather says: sunny."


async def test_structured_output_is_valid_json(demo):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    completion = await answer(demo, chat("fast", "give me 7", response_format=wanted))
    jsonschema.validate(json.loads(completion["choices"][0]["message"]["content"]), schema)
    completion = await answer(demo, chat("fast", "say hi", response_format={"type": "json_object"}))
    assert json.loads(completion["choices"][0]["message"]["content"]) == {"reply": "hi", "model": "demo/fast"}


async def post(demo, path, document):
    call = Call(Target("demo", "fast"), path, b"{}", document, stream=False, timeouts=Timeouts())
    reply = await demo.send(call)
    return reply.status, json.loads(await reply.body())


async def test_embeddings_are_unit_vectors_and_like_texts_lie_close(demo):
    status, found = await post(demo, "/embeddings", {"input": ["a red car", "a red bus", "stock market"]})
    vectors = [row["embedding"] for row in found["data"]]
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert status == 200
    assert near > far
    assert sum(value * value for value in vectors[0]) == pytest.approx(1, abs=1e-4)
    _, small = await post(demo, "/embeddings", {"input": [1, 2, 3], "dimensions": 4, "encoding_format": "float"})
    assert [len(row["embedding"]) for row in small["data"]] == [4]


async def test_moderations_models_and_unknown_paths(demo):
    _, found = await post(demo, "/moderations", {"input": [{"type": "text", "text": "I will kill it"}, "hello"]})
    assert [result["flagged"] for result in found["results"]] == [True, False]
    assert {"self-harm/intent", "violence/graphic"} < set(found["results"][0]["category_applied_input_types"])
    _, listed = await post(demo, "/models", {})
    assert {model["id"] for model in listed["data"]} == set(PERSONALITIES)
    assert (await post(demo, "/images/generations", {}))[0] == 404
    assert (await post(demo, "/chat/completions", None))[0] == 404
    await demo.aclose()


async def test_a_closed_reply_reads_nothing_and_a_large_body_is_refused(demo):
    reply = await demo.send(chat("fast", stream=True))
    reply.close()
    assert await reply.read() == b""
    with pytest.raises(UpstreamFault, match="larger than 10 bytes"):
        await (await demo.send(chat("fast", stream=True))).body(10)
