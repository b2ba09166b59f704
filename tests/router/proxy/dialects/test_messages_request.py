"""A Messages request as a chat: what goes on, what is left out, what is refused and how."""

import pytest

from router.proxy.dialects import count_tokens, read_message
from router.refusal import Refusal

HI = [{"role": "user", "content": "hi"}]
WEATHER = {"name": "get_weather", "description": "d", "input_schema": {"type": "object"}, "cache_control": {}}
FUNCTION = {"name": "get_weather", "description": "d", "parameters": {"type": "object"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}


def read(messages=HI, **more):
    return read_message({"model": "demo/fast", "max_tokens": 9, "messages": messages, **more})


def test_a_question_is_a_chat():
    asked = read(system="be brief", temperature=0.5, top_k=3, stop_sequences=["x"], stream=True)
    assert asked.chat == {
        "model": "demo/fast",
        "messages": [{"role": "system", "content": "be brief"}, *HI],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "top_k": 3,
        "stop": ["x"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (asked.thinks, asked.warnings) == (False, [])


def test_system_may_be_blocks():
    blocks = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}]
    assert read(system=blocks).chat["messages"][0] == {"role": "system", "content": "a\n\nb"}
    assert read(system="").chat["messages"] == HI


def test_instructions_may_come_in_between_and_results_of_searches_are_text():
    found = {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "a"}]}
    asked = read([{"role": "user", "content": [found]}, {"role": "system", "content": "be brief"}])
    said = [(message["role"], message["content"]) for message in asked.chat["messages"]]
    assert said == [("user", "t\ns\na"), ("system", "be brief")]


def test_tools_are_called_and_their_results_come_first():
    asked = read([
        {"role": "user", "content": [{"type": "text", "text": "see"}, PNG]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "wait"}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [
                {"type": "text", "text": "x"}, PNG, {"type": "text", "text": "y"}]},
            {"type": "tool_result", "tool_use_id": "t2"}, {"type": "text", "text": "and now"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t3", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t3", "content": "z"}]},
    ])  # fmt: skip
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}

    def called(call_id, arguments):
        return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}

    assert asked.chat["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "see"}, picture]},
        {"role": "assistant", "content": "wait", "tool_calls": [called("t1", '{"a":1}')]},
        {"role": "tool", "tool_call_id": "t1", "content": "x\ny"},
        {"role": "tool", "tool_call_id": "t2", "content": ""},
        {"role": "user", "content": [picture, {"type": "text", "text": "and now"}]},
        {"role": "assistant", "content": None, "tool_calls": [called("t3", "{}")]},
        {"role": "tool", "tool_call_id": "t3", "content": "z"},
    ]


def test_pictures_and_documents_in_every_form():
    documents = [
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "b"}]}},
        {"type": "document", "title": "t", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}},
    ]
    (message,) = read([{"role": "user", "content": documents}]).chat["messages"]
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "file", "file": {"filename": "t", "file_data": "data:application/pdf;base64,AA"}},
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "get_weather"}, {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
def test_tools_and_their_choice(choice, expected):
    chat = read(tools=[WEATHER | {"type": "custom"}], tool_choice=choice).chat
    assert (chat["tools"], chat["tool_choice"]) == ([{"type": "function", "function": FUNCTION}], expected)
    assert "parallel_tool_calls" not in chat


def test_one_tool_at_a_time_and_strict_schemas():
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    chat = read(tools=[{"name": "f", "strict": True}], tool_choice=choice).chat
    assert chat["parallel_tool_calls"] is False
    assert chat["tools"] == [{"type": "function", "function": {"name": "f", "strict": True}}]
    assert "tool_choice" not in read(tools=[], tool_choice={"type": "auto"}).chat
    assert "tool_choice" not in read(tools=[WEATHER]).chat


def test_who_asks_and_what_routes():
    metadata = {"user_id": "u", "tier": "premium"}
    asked = read(metadata=metadata, models=["a/b"], extra_body={"ignore": ["c"]})
    assert (asked.chat["user"], asked.chat["metadata"], asked.chat["models"]) == ("u", metadata, ["a/b"])
    assert asked.chat["extra_body"] == {"ignore": ["c"]}
    assert read(metadata=metadata, user="v").chat["user"] == "v"


@pytest.mark.parametrize("place", ["output_format", "output_config"])
def test_a_form_of_text(place):
    form = {"type": "json_schema", "schema": {"type": "object"}}
    chat = read(**{place: form if place == "output_format" else {"format": form}}).chat
    schema = {"name": "answer", "strict": True, "schema": {"type": "object"}}
    assert chat["response_format"] == {"type": "json_schema", "json_schema": schema}


def test_thinking_is_tolerated_and_what_is_unknown_is_said():
    asked = read(thinking={"type": "enabled", "budget_tokens": 1024}, odd=1, service_tier="auto")
    assert asked.thinks
    assert [warning["code"] for warning in asked.warnings] == ["thinking_ignored", "fields_ignored"]
    assert asked.chat.keys() == {"model", "messages", "max_completion_tokens"}
    assert asked.warnings[1]["message"].startswith("odd, service_tier:")
    assert not read(thinking={"type": "disabled"}).thinks
    assert not read(thinking={"type": "adaptive", "display": "omitted"}).thinks
    assert [warning["code"] for warning in read(output_config={"effort": "low"}).warnings] == ["thinking_ignored"]


def test_tokens_are_estimated():
    def counted(**document):
        return count_tokens(read_message({"model": "m", "messages": HI, **document}, counting=True).chat)

    assert counted() == 5
    assert counted(system="12345678") == 11
    assert counted(tools=[WEATHER]) > 20
    assert counted(messages=[{"role": "user", "content": [PNG]}]) == 1604
    call = [{"type": "tool_use", "id": "t", "name": "name", "input": {}}]
    assert counted(messages=[*HI, {"role": "assistant", "content": call}]) == 8 + 2


@pytest.mark.parametrize(
    ("document", "param", "said"),
    [
        ({"model": 3}, "model", "a text"),
        ({"max_tokens": None}, "max_tokens", "Missing"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"messages": None}, "messages", "Missing"),
        ({"messages": []}, "messages", "empty"),
        ({"messages": ["x"]}, "messages[0]", "an object"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "Missing"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "'assistant'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "a text or a list"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type", "Missing"),
        ({"messages": [{"role": "user", "content": [{"type": "odd"}]}]}, "messages[0].content[0].type", "'tool_use'"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", "Missing"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source", "Missing"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
         "messages[0].content[0].source.type", "base64"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}}]}]},
         "messages[0].content[0].source.type", "base64"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
         "messages[0].content[0].tool_use_id", "Missing"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{}]}]}]},
         "messages[0].content[0].content[0].type", "Missing"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f"}]}]},
         "messages[0].content[0].input", "Missing"),
        ({"messages": [{"role": "assistant", "content": [{"type": "image"}]}]},
         "messages[0].content[0].type", "'thinking'"),
        ({"system": 3}, "system", "a text or a list"),
        ({"system": [{"type": "text"}]}, "system[0].text", "Missing"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id", "a text"),
        ({"container": "c"}, "container", "Anthropic only"),
        ({"mcp_servers": [{}]}, "mcp_servers", "Anthropic only"),
        ({"stop_sequences": "x"}, "stop_sequences", "a list"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0].type", "'web_search_20250305'"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "Missing"),
        ({"tools": [{"name": "f", "input_schema": 3}]}, "tools[0].input_schema", "an object"),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "no 'tools'"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "Missing"),
        ({"tool_choice": {"type": "odd"}}, "tool_choice.type", "'auto'"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type", "'json_schema'"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema", "Missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_place(document, param, said):
    with pytest.raises(Refusal) as refusal:
        read_message({"model": "demo/fast", "max_tokens": 9, "messages": HI} | document)
    assert (refusal.value.status, refusal.value.param) == (400, param)
    assert said in refusal.value.message
