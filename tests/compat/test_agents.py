"""The OpenAI agents SDKs: they hold every event against their own strict types and run tools by themselves."""

import pytest

from .clients import AGENTS, NODE
from .environments import run

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def python(house, home, speech):
    return run(AGENTS, "agents_python/voice.py", house.given(speech=speech), home=home)


@pytest.fixture(scope="module")
def node(house, home, speech):
    return run(NODE, "agents_node/voice.mjs", house.given(speech=speech), home=home)


@pytest.fixture(params=["python", "node"])
def agent(request):
    return request.getfixturevalue(request.param)


def test_python_finds_nothing_to_complain_about(python):
    assert (python["errors"], python["complaints"]) == ([], [])
    assert {"session.updated", "response.done", "conversation.item.truncated"} <= set(python["seen"])


def test_node_finds_nothing_to_complain_about(node):
    assert (node["errors"], node["wrong"]) == ([], [])
    assert "mistake" not in node["seen"]


def test_tools_are_run_and_the_history_is_kept_in_order(agent):
    assert agent["sound_bytes"] > 10_000
    assert agent["first_history"] == [["user", "say hello world"], ["assistant", "hello world"]]
    assert agent["tool"] == ["get_weather", "sunny in paris"]
    roles = [role for role, _ in agent["history"]]
    texts = [text for _, text in agent["history"]]
    assert roles == ["user", "assistant", "user", "assistant", "user", "assistant"]
    assert texts[:3] == ["say hello world", "hello world", "use get_weather for the city paris"]
    assert "sunny" in texts[3]
    assert len(set(texts[4].split()) & {"what", "is", "the", "price", "of", "ticket"}) >= 3


def test_speech_interrupts(agent):
    assert agent["interrupted"] == ["cancelled", "turn_detected"]


@pytest.fixture(scope="module")
def responses(house, home):
    return run(AGENTS, "agents_python/responses.py", house.given(), home=home)


def test_agents_answer_over_their_usual_api(responses):
    assert (responses["text"], responses["tokens"] > 0) == ("hello world", True)
    assert "Ann" in responses["remembered"]
    assert responses["streamed"][1:] == ["hello world", "hello world"]
    assert responses["parsed"] == "Person"


def test_agents_run_their_tools_and_hand_over(responses):
    assert responses["tool"] == "get_weather says: sunny in paris."
    kinds, _, answer = responses["streamed_tool"]
    assert [kind for kind in kinds if kind.startswith("tool_call")] == ["tool_call_item", "tool_call_output_item"]
    assert answer == "get_weather says: sunny in paris."
    assert responses["handed"][0] == "plain"


def test_agents_do_not_notice_a_fallback(responses):
    assert responses["rescued"] == "it works"
