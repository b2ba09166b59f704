"""A reply's request as a chat completion."""

from realtime import protocol as p
from realtime.prompting import chat_document

TOOL = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}


def request(**changes):
    fields = {
        "model": "router/demo",
        "instructions": "Be brief.",
        "items": (p.Message("i1", "user", (p.AudioPart("hello there", 900.0),)),),
        "modalities": ("audio",),
        "voice": "alloy",
        "speed": 1.0,
        "output_format": p.AudioFormat(),
    }
    return p.ReplyRequest(**{**fields, **changes})


def test_instructions_come_first_and_spoken_words_are_words():
    document = chat_document(request(), "sess_1")
    assert document["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello there"},
    ]
    assert document["model"] == "router/demo"
    assert document["stream"] is True


def test_a_model_is_asked_something_even_when_nobody_has_said_anything():
    document = chat_document(request(items=(), instructions=""), "sess_1")
    assert [message["role"] for message in document["messages"]] == ["system"]


def test_a_prompt_of_the_configuration_stands_before_the_instructions():
    variables = {"name": "Ann", "town": {"type": "input_text", "text": "Rome"}}
    asked = request(prompt={"id": "greeter", "variables": variables})
    document = chat_document(asked, "sess_1", {"greeter": "Greet {{name}} of {{town}}."})
    assert [message["content"] for message in document["messages"][:2]] == ["Greet Ann of Rome.", "Be brief."]
    assert document["prompt_variables"] == variables
    assert chat_document(asked, "sess_1")["messages"][0]["content"] == "Be brief."


def test_a_session_without_a_user_is_sticky_by_itself():
    document = chat_document(request(), "sess_1")
    assert document["user"] == "sess_1"
    assert document["metadata"] == {"session_id": "sess_1"}


def test_user_and_facts_of_the_client_are_what_routing_sees():
    document = chat_document(request(user_id="ann", facts={"tier": "vip"}), "sess_1")
    assert document["user"] == "ann"
    assert document["metadata"] == {"session_id": "sess_1", "tier": "vip"}


def test_parallel_calls_are_one_assistant_message_followed_by_their_results():
    items = (
        p.Message("i1", "user", (p.TextPart("weather in Rome and Oslo?"),)),
        p.FunctionCall("i2", "c1", "weather", '{"city":"Rome"}'),
        p.FunctionCall("i3", "c2", "weather", '{"city":"Oslo"}'),
        p.FunctionOutput("i4", "c1", "sunny"),
        p.FunctionOutput("i5", "c2", "snow"),
    )
    messages = chat_document(request(items=items, instructions=""), "sess_1")["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["c1", "c2"]
    assert messages[3] == {"role": "tool", "tool_call_id": "c2", "content": "snow"}


def test_a_call_without_an_answer_yet_is_not_lost():
    items = (p.FunctionCall("i2", "c1", "weather", ""),)
    messages = chat_document(request(items=items, instructions=""), "sess_1")["messages"]
    assert messages[0]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}


def test_tools_and_their_choice_are_in_chat_spelling():
    document = chat_document(
        request(tools=(TOOL,), tool_choice={"type": "function", "name": "weather"}, parallel_tool_calls=False), "s"
    )
    assert document["tools"][0]["function"]["name"] == "weather"
    assert document["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert document["parallel_tool_calls"] is False


def test_without_tools_nothing_about_tools_is_said():
    document = chat_document(request(tools=({"type": "mcp"},), parallel_tool_calls=True), "s")
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & document.keys()


def test_pictures_are_shown_to_the_model():
    content = (p.TextPart("what is this?"), p.ImagePart("data:image/png;base64,AA==", "low"))
    messages = chat_document(request(items=(p.Message("i", "user", content),), instructions=""), "s")["messages"]
    assert messages[0]["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
    ]


def test_limits_and_temperament_are_passed_on():
    document = chat_document(
        request(max_output_tokens=64, temperature=0.7, reasoning={"effort": "low"}, tool_choice="none"), "s"
    )
    assert (document["max_tokens"], document["temperature"], document["reasoning_effort"]) == (64, 0.7, "low")
