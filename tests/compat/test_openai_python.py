"""The openai package in its three generations, with only the URL and the key changed."""

import pytest

from .clients import OPENAI_3, SHARED
from .environments import Python, run

pytestmark = pytest.mark.compat

VERSIONS = {
    "1": Python("openai-1", ("openai==1.109.1", *SHARED)),
    "2": Python("openai-2", ("openai==2.54.0", *SHARED)),
    "3": OPENAI_3,
}


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def generation(request):
    return request.param


@pytest.fixture(scope="module")
def chat(generation, house, home, journal):
    journal("DELETE")
    facts = run(VERSIONS[generation], "openai_python/chat.py", house.given(), home=home)
    assert facts["version"].startswith(f"{generation}.")
    facts.facts["journal"] = journal()
    return facts


def calls(facts, model):
    """What the provider saw of a model."""
    return [call for call in facts["journal"] if call["model"] == model]


def test_every_object_is_valid_under_the_sdks_own_types(chat):
    assert chat["wrong"] == []


def test_models_are_listed_and_found(chat):
    assert {"demo/fast", "auto", "router/support"} <= set(chat["models"])
    assert (chat["model_object"], chat["one_model"]) == ("list", "demo/fast")


def test_a_question_is_answered_with_its_attempts(chat):
    assert (chat["text"], chat["finish"], chat["tokens"]) == ("hello world", "stop", 5)
    assert [attempt["model"] for attempt in chat["attempts"]] == ["demo/fast"]
    assert chat["own_request_id"] == chat["request_id"]
    assert chat["summary"] == "1"


def test_a_stream_is_complete_with_and_without_usage(chat):
    assert chat["streamed"] == ["hello world", "hello world"]
    assert (chat["stream_ids"], chat["first_role"], chat["finishes"]) == (1, "assistant", ["stop"])
    assert (chat["usage"], chat["usage_choices"], chat["earlier_usage"]) == (5, [], [])
    assert chat["unasked_usage"] == []
    assert all(metadata["attempts"][0]["success"] for metadata in chat["last_attempts"])


def test_the_stream_and_parse_conveniences_work(chat):
    assert chat["stream_final"] == "hello world"
    assert chat["stream_kinds"] == ["chunk", "content.delta", "content.done"]
    assert (chat["parsed"], chat["parsed_stream"]) == ("Person", "Person")
    assert "content.done" in chat["parsed_kinds"]


def test_tools_are_called_and_their_results_told(chat):
    name, kind, arguments, finish = chat["tool"]
    streamed_name, call_id, streamed_arguments = chat["streamed_tool"]
    assert (name, kind, finish, streamed_name) == ("get_weather", "function", "tool_calls", "get_weather")
    assert arguments == streamed_arguments == '{"city": "world"}'
    assert call_id.startswith("call_")
    assert chat["tool_event"] == ["get_weather", {"city": "world"}]
    assert "sunny" in chat["tool_told"]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("denied", ["AuthenticationError", 401, "invalid_api_key", None, True]),
        ("missing", ["NotFoundError", 404, "model_not_found", "model", True]),
        ("missing_model", ["NotFoundError", 404, "model_not_found", "model", True]),
        ("empty", ["BadRequestError", 400, "empty_array", "messages", True]),
        ("limited", ["RateLimitError", 429, "rate_limit_exceeded", None, True]),
        ("upstream_429", ["RateLimitError", 429, "rate_limit_exceeded", None, True]),
        ("down", ["InternalServerError", 503, "upstream_overloaded", None, True]),
        ("stream_down", ["InternalServerError", 503, "upstream_overloaded", None, True]),
        ("cut", ["APIError", None, "stream_interrupted", None, False]),
    ],
)
def test_errors_are_the_sdks_own_classes(chat, fact, expected):
    assert chat[fact] == expected


def test_the_sdk_repeats_nothing_that_the_router_has_walked(chat):
    assert len(chat["retried"]) == len(calls(chat, f"503@retry-{chat['version']}")) >= 1
    assert chat["recovered"] == "A careful router"
    assert len(calls(chat, "502-once")) == 2


def test_routing_fields_are_read_at_both_places_and_never_reach_a_provider(chat):
    assert chat["routed"] == ["spanish-premium", "spanish-premium", [False, True], [False, True]]
    (echo,) = calls(chat, "echo")
    assert (echo["document"]["odd_field"], echo["document"]["seed"]) == (7, 4)
    assert not {"models", "extra_body", "metadata"} & set(echo["document"])


def test_embeddings_and_moderations_come_through(chat):
    assert chat["embeddings"] == [256, 256]
    assert chat["default_embedding"] == 256
    assert chat["same_vector"] < 1e-5
    assert chat["flagged"] == [True, True]


def test_impatience_and_leaving_end_the_call_upstream(chat):
    assert chat["timeout"] == "APITimeoutError"
    assert chat["timeout_s"] < 2
    assert chat["cancelled"] == "CancelledError"
    for model in ("slow-stream", "slow-9"):
        (call,) = calls(chat, model)
        assert call["client_gone"]


def test_asynchronous_clients_share_a_connection_pool(chat):
    assert chat["many"] == ["hello world"] * 10
    assert chat["async_stream"] == "hello world"


@pytest.fixture(scope="module", params=["1-ga", "1-beta", "2-ga", "3-ga", "3-beta"])
def voice(request, house, home, speech):
    generation, _, shape = request.param.partition("-")
    given = house.given(speech=speech, shape=shape)
    return run(VERSIONS[generation], "openai_python/voice.py", given, home=home)


def test_every_voice_event_is_valid_under_the_sdks_own_types(voice):
    assert voice["wrong"] == []


def test_sessions_open_and_take_settings(voice):
    assert voice["created"] == "session.created"
    assert voice["model"] in {"gpt-realtime", "gpt-4o-realtime-preview"}
    assert (voice["instructions"], voice["tools"]) == ("be brief", ["get_weather"])


def test_a_text_turn_is_answered_in_order(voice):
    order = voice["text_order"]
    assert (voice["text"], voice["text_status"], voice["text_output"]) == ("hello world", "completed", ["message"])
    assert voice["text_usage"] > 0
    places = [
        order.index(f"response.{kind}") for kind in ("created", "output_item.added", "content_part.added", "done")
    ]
    assert places == sorted(places)


def test_functions_are_called_in_all_three_places_alike(voice):
    name, status, *arguments = voice["tool"]
    assert (name, status, set(arguments)) == ("get_weather", "completed", {'{"city": "paris"}'})
    assert voice["tool_call_ids"] == 1
    assert "sunny" in voice["tool_told"]


def test_mistakes_are_told_and_the_session_lives_on(voice):
    assert voice["error"] == ["invalid_value", "evt_mine", "type"]
    assert voice["cancel_error"] == "response_cancel_not_active"
    assert voice["retrieve_error"] == "item_retrieve_invalid_item_id"


def test_a_response_aside_stays_out_of_the_conversation(voice):
    assert (voice["aside"], voice["aside_metadata"], voice["aside_items"]) == ("aside", ["aside", "aside"], [])


def test_speech_is_heard_and_answered_in_speech(voice):
    assert len(set(voice["heard"][0].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3
    assert voice["speech_order"][:3] == [
        f"input_audio_buffer.{kind}" for kind in ("speech_started", "speech_stopped", "committed")
    ]
    assert voice["speech_ids"] == 1
    assert voice["sound_bytes"] > 48_000
    assert voice["sound_bytes"] % 2 == 0
    assert voice["spoken"] == voice["spoken_done"] != ""
    assert voice["speech_status"] == "completed"


def test_an_interruption_ends_the_answer_and_a_new_turn_follows(voice):
    assert voice["interrupted"] == ["cancelled", "turn_detected"]
    assert voice["interrupted_id"]
    assert (voice["stray_audio"], voice["truncated"], voice["after"]) == (0, 50, "completed")
    assert voice["cancelled"] == ["cancelled", "client_cancelled"]


def test_refusals_are_an_event_and_a_close_code(voice):
    assert voice["bad_key"] == ["error", "invalid_api_key", 3000]
    assert voice["bad_model"] == ["error", "invalid_model", 4000]


@pytest.fixture(scope="module")
def responses(generation, house, home):
    return run(VERSIONS[generation], "openai_python/responses.py", house.given(), home=home)


def test_every_response_and_event_is_valid_under_the_sdks_own_types(responses):
    assert responses["wrong"] == []
    assert responses["numbers"] is True


def test_responses_are_answered_whole_and_in_pieces(responses):
    assert (responses["text"], responses["streamed"], responses["metadata"]) == (
        "hello world",
        "hello world",
        {"tier": "free"},
    )
    assert responses["attempts"][0]["success"]
    order = responses["order"]
    assert (order[0], order[-1]) == ("response.created", "response.completed")
    assert order.index("response.output_item.added") < order.index("response.output_text.delta")


def test_responses_call_functions_and_take_forms(responses):
    assert responses["tool"] == ["get_weather", '{"city": "paris"}']
    assert (responses["final"], responses["told"]) == ('{"city": "paris"}', "get_weather says: sunny in paris.")
    assert responses["parsed"] == "Person"


def test_responses_fall_back_break_and_are_refused(responses):
    assert (responses["rescued"], responses["cut"]) == ("hello world", ["response.failed", "server_error"])
    assert responses["refused"] == "previous_response_id"
