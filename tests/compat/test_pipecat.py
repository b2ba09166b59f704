"""pipecat's realtime services, OpenAI's and Inworld's: they parse every event strictly and stop at any odd error."""

import pytest

from .clients import PIPECAT
from .environments import run

pytestmark = pytest.mark.compat

HARMLESS = {"response_cancel_not_active", "conversation_already_has_active_response"}


@pytest.fixture(scope="module", params=["openai", "inworld"])
def pipecat(request, house, home, speech):
    given = house.given(speech=speech, service=request.param)
    return run(PIPECAT, "pipecat_python/voice.py", given, home=home)


def test_every_event_is_read_and_nothing_is_complained_about(pipecat):
    assert (pipecat["unreadable"], pipecat["errors"], pipecat["complaints"]) == ([], [], [])
    assert {mistake["code"] for mistake in pipecat["mistakes"]} <= HARMLESS


def test_tools_are_run_and_told(pipecat):
    name, arguments, result = pipecat["tool"]
    assert (name, arguments, result) == ("get_weather", {"city": "paris"}, {"weather": "sunny"})
    assert "sunny" in pipecat["told"]
    assert pipecat["sound_bytes"] > 20_000


def test_speech_is_heard_answered_and_can_interrupt(pipecat):
    assert len(set(pipecat["heard"][0].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3
    assert pipecat["answered_bytes"] > 48_000
    assert pipecat["ends"][3] == "cancelled"
    assert pipecat["ends"][4] in {"completed", "cancelled"}
