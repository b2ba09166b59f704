"""The OpenAI agents SDKs: they hold every event against their own strict types and run tools by themselves."""

import pytest

from .clients import AGENTS
from .environments import run

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def python(house, home, speech):
    return run(AGENTS, "agents_python/voice.py", house.given(speech=speech), home=home)


def test_python_finds_nothing_to_complain_about(python):
    assert (python["errors"], python["complaints"]) == ([], [])
    assert {"session.updated", "response.done", "conversation.item.truncated"} <= set(python["seen"])


def test_python_hears_runs_tools_and_keeps_the_history_in_order(python):
    assert python["sound_bytes"] > 10_000
    assert python["tool"] == ["get_weather", "sunny in paris"]
    roles = [role for role, _ in python["history"]]
    texts = [text for _, text in python["history"]]
    assert roles == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert texts[:3] == ["say hello world", "hello world", "use get_weather for the city paris"]
    assert "sunny" in texts[3]
    assert len(set(texts[4].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3


def test_python_is_interrupted_by_speech(python):
    assert python["interrupted"] == ["cancelled", "turn_detected"]
    assert python["truncated"] is True
