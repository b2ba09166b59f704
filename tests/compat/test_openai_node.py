"""The npm package openai, with only the URL and the key changed. It dials wss: whatever the URL says."""

import pytest

from .clients import NODE
from .environments import run

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def chat(house, home, journal):
    journal("DELETE")
    facts = run(NODE, "openai_node/chat.mjs", house.given(), home=home)
    facts.facts["journal"] = journal()
    return facts


@pytest.fixture(scope="module", params=["ws", "websocket"])
def voice(request, tls_house, home, speech):
    return run(NODE, "openai_node/voice.mjs", tls_house.given(speech=speech, shape=request.param), home=home)


def test_models_are_listed_and_found(chat):
    assert {"demo/fast", "auto"} <= set(chat["models"])
    assert chat["one_model"] == "demo/fast"


def test_answers_and_streams_are_whole(chat):
    assert (chat["text"], chat["streamed"], chat["usage"]) == ("hello world", ["hello world"] * 2, 5)
    assert chat["attempts"][0]["model"] == "demo/fast"
    assert chat["request_id"] is True
    assert chat["stream_final"] == "hello world"
    assert {"chunk", "content"} <= set(chat["stream_kinds"])


def test_structured_output_and_tools_work(chat):
    assert chat["parsed"] is True
    assert chat["tool"] == chat["streamed_tool"] == ["get_weather", '{"city": "world"}']
    assert "sunny in" in chat["run_tools"]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("denied", ["AuthenticationError", 401, "invalid_api_key", None]),
        ("missing", ["NotFoundError", 404, "model_not_found", "model"]),
        ("empty", ["BadRequestError", 400, "empty_array", "messages"]),
        ("limited", ["RateLimitError", 429, "rate_limit_exceeded", None]),
        ("down", ["InternalServerError", 503, "upstream_overloaded", None]),
        ("cut", ["APIError", None, "stream_interrupted", None]),
        ("late", ["APIConnectionTimeoutError", None, None, None]),
        ("aborted", ["APIUserAbortError", None, None, None]),
    ],
)
def test_errors_are_the_sdks_own_classes(chat, fact, expected):
    assert chat[fact] == expected


def test_the_sdk_repeats_nothing_and_leaves_nothing_running(chat):
    calls = {call["model"]: call for call in chat["journal"]}
    assert chat["retried"][0] == "InternalServerError"
    models = [call["model"] for call in chat["journal"]]
    assert models.count("503@patient") == models.count("503@once") > 0
    assert calls["slow-9@node"]["client_gone"]


def test_routing_embeddings_and_moderations_come_through(chat):
    assert chat["routed"] == ["spanish-premium", "spanish-premium"]
    assert (chat["embeddings"], chat["flagged"]) == ([256, 256], True)


def test_a_client_secret_opens_a_session(voice):
    assert voice["secret"] == ["ek_", "realtime", "gpt-realtime"]
    assert (voice["model"], voice["tools"], voice["voice"]) == ("gpt-realtime", ["get_weather"], "marin")


def test_text_tools_and_mistakes(voice):
    assert (voice["text"], voice["text_status"]) == ("hello world", "completed")
    assert voice["tool"] == ["get_weather", '{"city": "paris"}']
    assert "sunny" in voice["tool_told"]
    assert voice["error"] == ["invalid_value", "evt_mine"]
    assert voice["emitted"] == [["OpenAIRealtimeError", "invalid_value"]]


def test_speech_is_heard_answered_and_can_interrupt(voice):
    assert len(set(voice["heard"][0].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3
    assert voice["sound_bytes"] > 48_000
    assert voice["spoken"]
    assert voice["interrupted"] == [True, "cancelled", "turn_detected"]


def test_responses_are_answered_in_every_way(house, home):
    facts = run(NODE, "openai_node/responses.mjs", house.given(), home=home)
    assert (facts["text"], facts["streamed"], facts["parsed"]) == ("hello world", "hello world", True)
    assert facts["attempts"][0]["model"] == "demo/fast"
    assert (facts["kinds"][0], facts["kinds"][-1]) == ("response.created", "response.completed")
    assert facts["tool"] == ["get_weather", '{"city": "paris"}']
    assert facts["told"] == "get_weather says: sunny in paris."
