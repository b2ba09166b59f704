"""Clients as the migration guide of Inworld's realtime API writes them: plain WebSockets in Python and in node."""

import pytest

from .clients import NODE, WEBSOCKETS
from .environments import run

pytestmark = pytest.mark.compat

CLIENTS = {"python": (WEBSOCKETS, "inworld_python/session.py"), "node": (NODE, "inworld_node/session.mjs")}


@pytest.fixture(scope="module", params=sorted(CLIENTS))
def client(request, house, home, speech):
    environment, driver = CLIENTS[request.param]
    return run(environment, driver, house.given(speech=speech), home=home)


def test_the_session_takes_inworlds_settings(client):
    assert client["session"]
    assert client["model"] == "inworld/demo"
    assert client["modalities"] == ["audio", "text"]
    assert client["voice"] == "Clive"
    assert client["provider"] == {"user_id": "u-7", "metadata": {"tier": "gold"}}


def test_an_answer_comes_as_sound_and_words_with_its_attempts(client):
    assert client["words"] == "hello world"
    assert client["text"] in {"", "hello world"}
    assert client["bytes"] > 10_000
    assert "audio" in client["parts"]
    assert {"llm", "tts"} <= {attempt["stage"] for attempt in client["attempts"]}
    assert all(attempt["success"] for attempt in client["attempts"])
    assert client["usage_twice"]


def test_a_tools_output_is_answered_without_asking(client):
    assert client["tool"] == ["get_weather", '{"city": "paris"}']
    assert "sunny" in client["told"]


def test_speech_is_heard_answered_and_can_interrupt(client):
    assert len(set(client["heard"][0].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3
    assert client["spoken"]
    assert client["spoken_bytes"] > 48_000
    assert client["interrupted"] == "cancelled"
    assert "input_audio_buffer.speech_started" in client["speech"]


def test_mistakes_and_wrong_keys_are_told(client):
    assert client["error"] == "unknown_event_type"
    assert client["refused"] == 401
