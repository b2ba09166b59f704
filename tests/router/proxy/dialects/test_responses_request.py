"""A Responses request as a chat: what goes on, what is repeated, what is refused and how."""

import pytest

from router.proxy.dialects import read_response
from router.refusal import Refusal

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": True}
CHAT_WEATHER = {"name": "get_weather", "parameters": {"type": "object"}, "strict": True}


def read(given="hi", **more):
    return read_response({"model": "demo/fast", "input": given, **more})


def refused(**document):
    with pytest.raises(Refusal) as refusal:
        read_response({"model": "demo/fast", "input": "hi"} | document)
    assert refusal.value.status == 400
    return refusal.value


def test_a_text_is_a_message():
    asked = read(instructions="be brief", max_output_tokens=9, temperature=0.5)
    assert asked.chat == {
        "model": "demo/fast",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 9,
        "temperature": 0.5,
    }
    assert (asked.repeated["instructions"], asked.repeated["max_output_tokens"]) == ("be brief", 9)
    assert asked.warnings == []


def test_items_become_messages_in_their_order():
    asked = read([
        {"role": "developer", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "what"},
                                     {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "wait"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2", "output": [
            {"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": "sorry"},
    ])  # fmt: skip
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}, "id": "c1"}
    other = {"type": "function", "function": {"name": "g", "arguments": "{}"}, "id": "c2"}
    assert asked.chat["messages"] == [
        {"role": "system", "content": "a\nb"},
        {"role": "user", "content": [
            {"type": "text", "text": "what"},
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}]},
        {"role": "assistant", "content": "wait", "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": "see"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
        {"role": "assistant", "content": "no"},
        {"role": "assistant", "content": "sorry"},
    ]  # fmt: skip


def test_pictures_of_a_last_result_are_not_lost():
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA"}
    asked = read([{"type": "function_call_output", "call_id": "c", "output": [picture]}])
    assert [message["role"] for message in asked.chat["messages"]] == ["tool", "user"]


def test_files_and_sound_go_on():
    sound = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    file = {"type": "input_file", "file_data": "data:application/pdf;base64,AA"}
    (message,) = read([{"role": "user", "content": [sound, file, file | {"filename": "a.pdf"}]}]).chat["messages"]
    assert [part["type"] for part in message["content"]] == ["input_audio", "file", "file"]
    assert [part["file"]["filename"] for part in message["content"][1:]] == ["file.pdf", "a.pdf"]


def test_tools_and_their_choice():
    asked = read(tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"}, parallel_tool_calls=False)
    assert asked.chat["tools"] == [{"type": "function", "function": CHAT_WEATHER}]
    assert asked.chat["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert (asked.chat["parallel_tool_calls"], asked.repeated["parallel_tool_calls"]) == (False, False)
    assert asked.repeated["tools"] == [WEATHER]
    some = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]}
    allowed = read(tools=[WEATHER], tool_choice=some).chat["tool_choice"]["allowed_tools"]
    assert allowed == {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_weather"}}]}
    assert read(tools=[WEATHER]).chat.keys().isdisjoint({"tool_choice", "parallel_tool_calls"})


def test_namespaces_and_free_text_become_functions():
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    asked = read(
        [
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "a"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
            {"type": "function_call", "call_id": "c2", "name": "find", "namespace": "crm", "arguments": "{}"},
        ],
        tools=[
            {"type": "custom", "name": "patch", "description": "d", "format": grammar},
            {"type": "custom", "name": "say"},
            {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
            {"type": "web_search"},
        ],
        tool_choice={"type": "custom", "name": "patch"},
    )
    first, second, third = (tool["function"] for tool in asked.chat["tools"])
    assert (first["name"], first["description"]) == ("patch", "d\nThe input follows this grammar:\nstart: x")
    assert (second["description"], second["parameters"]["required"]) == ("", ["input"])
    assert third == {"name": "crm__find"}
    assert asked.chat["tool_choice"] == {"type": "function", "function": {"name": "patch"}}
    calls = [one["function"] for message in asked.chat["messages"] for one in message.get("tool_calls", ())]
    assert calls == [{"name": "patch", "arguments": '{"input":"a"}'}, {"name": "crm__find", "arguments": "{}"}]
    assert [warning["code"] for warning in asked.warnings] == ["web_search_unavailable"]
    assert asked.repeated["tools"][3] == {"type": "web_search"}


def test_without_tools_nothing_speaks_of_them():
    chat = read(tools=[], tool_choice="auto", parallel_tool_calls=True).chat
    assert chat.keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls"})


def test_forms_of_text():
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    asked = read(text={"format": schema, "verbosity": "low"})
    named = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert asked.chat["response_format"] == {"type": "json_schema", "json_schema": named}
    assert asked.chat["verbosity"] == "low"
    assert asked.repeated["text"] == {"format": schema, "verbosity": "low"}
    assert read(text={"format": {"type": "json_object"}}).chat["response_format"] == {"type": "json_object"}
    assert "response_format" not in read(text={"format": {"type": "text"}}).chat


def test_who_asks_and_what_routes():
    assert read(safety_identifier="s").chat["user"] == "s"
    assert read(safety_identifier="s", user="u").chat["user"] == "u"
    routing = {"models": ["a/b"], "metadata": {"tier": "x"}, "extra_body": {"reasoning": {"effort": "low"}}}
    asked = read(reasoning={"effort": "high"}, **routing)
    assert {name: asked.chat[name] for name in routing} == routing
    assert asked.chat["reasoning_effort"] == "high"
    assert asked.repeated["metadata"] == {"tier": "x"}
    assert asked.repeated["reasoning"] == {"effort": "high", "summary": None}


def test_streams_ask_for_usage_and_probabilities_for_the_tokens():
    asked = read(stream=True, stream_options={"include_obfuscation": False}, include=["message.output_text.logprobs"])
    assert (asked.chat["stream_options"], asked.chat["logprobs"]) == ({"include_usage": True}, True)
    assert read(top_logprobs=2).chat["logprobs"] is True
    assert "logprobs" not in read(top_logprobs=0, include=["reasoning.encrypted_content"]).chat


def test_what_is_harmless_is_taken_and_what_is_unknown_is_said():
    asked = read(store=True, truncation="auto", background=False, max_tool_calls=3, odd=1, previous_response_id=None)
    assert [warning["code"] for warning in asked.warnings] == ["response_not_stored", "fields_ignored"]
    assert (asked.repeated["store"], asked.repeated["max_tool_calls"]) == (False, 3)
    assert asked.chat.keys() == {"model", "messages"}
    assert read(store=False).warnings == []


@pytest.mark.parametrize(
    ("document", "param", "said"),
    [
        ({"model": None}, "model", "model parameter"),
        ({"input": None}, "input", "Missing"),
        ({"input": []}, "input", "Missing"),
        ({"input": 4}, "input", "a text or a list"),
        ({"input": ["x"]}, "input[0]", "an object"),
        ({"input": [{"type": "reasoning"}]}, "input", "nothing but reasoning"),
        ({"input": [{"type": 3}]}, "input[0].type", "a text"),
        ({"input": [{"content": "x"}]}, "input[0].role", "Missing"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "'developer'"),
        ({"input": [{"role": "user"}]}, "input[0].content", "Missing"),
        ({"input": [{"role": "user", "content": 3}]}, "input[0].content", "a text or a list"),
        ({"input": [{"role": "user", "content": ["x"]}]}, "input[0].content[0]", "an object"),
        ({"input": [{"role": "user", "content": [{}]}]}, "input[0].content[0].type", "Missing"),
        ({"input": [{"role": "user", "content": [{"type": "odd"}]}]}, "input[0].content[0].type", "'input_text'"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text", "Missing"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
         "input[0].content[0].file_id", "not stored"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]},
         "input[0].content[0].file_url", "not stored"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments", "Missing"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id", "Missing"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "not stored"),
        ({"input": [{"type": "web_search_call"}]}, "input[0].type", "'web_search_call'"),
        ({"instructions": 3}, "instructions", "a text"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "not stored"),
        ({"conversation": "conv_1"}, "conversation", "not stored"),
        ({"prompt": {"id": "p"}}, "prompt", "not stored"),
        ({"background": True}, "background", "stream"),
        ({"store": "yes"}, "store", "true or false"),
        ({"truncation": "odd"}, "truncation", "'disabled'"),
        ({"messages": []}, "messages", "use input"),
        ({"max_tokens": 3}, "max_tokens", "use max_output_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens", "at least 1"),
        ({"max_output_tokens": True}, "max_output_tokens", "a whole number"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"text": {"format": {}}}, "text.format.type", "Missing"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "'json_schema'"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "Missing"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].type", "'file_search'"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "Missing"),
        ({"tools": ["f"]}, "tools[0]", "an object"),
        ({"tools": [WEATHER], "tool_choice": 3}, "tool_choice", "a text or an object"),
        ({"tools": [WEATHER], "tool_choice": "odd"}, "tool_choice", "'required'"),
        ({"tools": [WEATHER], "tool_choice": {"type": "mcp"}}, "tool_choice.type", "'mcp'"),
        ({"tool_choice": "required"}, "tools", "Missing"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tools", "Missing"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort", "a text"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_place(document, param, said):
    refusal = refused(**document)
    assert refusal.param == param
    assert said in refusal.message
