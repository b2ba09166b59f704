"""LiveKit's plug-in for OpenAI's realtime API: its session alone, as the framework drives it, without a room."""

import pytest

from .clients import LIVEKIT
from .environments import run

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def livekit(house, home, speech):
    return run(LIVEKIT, "livekit_python/voice.py", house.given(speech=speech), home=home)


def test_nothing_is_complained_about(livekit):
    assert (livekit["wrong"], livekit["errors"], livekit["complaints"]) == ([], [], [])


def test_replies_are_told_apart_and_spoken(livekit):
    assert livekit["words"] == "hello world"
    assert livekit["samples"] > 5_000


def test_tools_are_called_and_their_results_told(livekit):
    assert livekit["tool"] == ["get_weather", '{"city": "paris"}']
    assert "sunny" in livekit["told"]


def test_speech_is_heard_and_the_history_is_in_order(livekit):
    assert len(set(livekit["heard"][0].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3
    assert livekit["spoken"]
    assert livekit["spoken_samples"] > 24_000
    texts = [text for _, text in livekit["history"]]
    assert [role for role, _ in livekit["history"]][:2] == ["user", "assistant"]
    assert texts[0] == "say hello world"
    assert texts[1] == "hello world"
    assert texts[2] == "use get_weather for the city paris"
    assert texts[-1] == livekit["spoken"]


def test_speech_interrupts(livekit):
    assert livekit["after_interruption"]
    assert "conversation.item.truncated" in livekit["seen"]
