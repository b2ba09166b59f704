"""Anthropic's packages in two generations and on node, with only the URL and the key changed."""

import pytest

from .clients import NODE, OPENAI
from .environments import Python, run

pytestmark = pytest.mark.compat

MORE = ("docstring-parser==0.18.0", "opentelemetry-api==1.45.2")
VERSIONS = {
    "0": Python("anthropic-0", ("anthropic==0.125.0", "distro==1.9.0", "sniffio==1.3.1", *MORE)),
    "2": Python("anthropic-2", ("anthropic==2.11.0", *OPENAI[1:], *MORE)),
}


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def python(request, house, home):
    facts = run(VERSIONS[request.param], "anthropic_python/messages.py", house.given(), home=home)
    assert facts["version"].startswith(f"{request.param}.")
    return facts


@pytest.fixture(scope="module")
def node(house, home):
    return run(NODE, "anthropic_node/messages.mjs", house.given(), home=home)


def test_messages_are_answered_whole_and_in_pieces(python):
    assert "wrong" not in python.facts
    assert (python["text"], python["stop"], python["streamed"]) == ("hello world", "end_turn", ["hello world"] * 2)
    assert (python["usage"], python["counted"]) == ([3, 2], 8)
    assert python["attempts"][0]["success"]


def test_tools_are_called_and_their_results_told(python):
    assert python["tool"] == ["tool_use", "get_weather", {"city": "paris"}]
    assert python["told"] == "get_weather says: sunny in paris."


def test_a_fallback_is_seen_in_the_record_alone(python):
    assert python["rescued"] == [False, True]


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("denied", ["AuthenticationError", "authentication_error", True]),
        ("missing", ["NotFoundError", "not_found_error", True]),
        ("empty", ["BadRequestError", "invalid_request_error", True]),
        ("cut", ["APIStatusError", "api_error", True]),
    ],
)
def test_errors_are_the_sdks_own_classes(python, fact, expected):
    assert python[fact] == expected


def test_the_want_of_targets_is_an_overload(python):
    kind, *rest = python["down"]
    assert kind in ("InternalServerError", "ServiceUnavailableError")
    assert rest == ["overloaded_error", True]


def test_node_is_answered_in_every_way(node):
    assert (node["text"], node["streamed"], node["request_id"]) == ("hello world", ["hello world"] * 2, True)
    assert (node["attempts"][0]["model"], node["usage"]) == ("demo/fast", 2)
    assert (node["tool"], node["told"]) == (["get_weather", "paris"], "get_weather says: sunny in paris.")
    assert node["empty"] == ["BadRequestError", 400, "invalid_request_error"]
    assert node["cut"][0] != "no error"
