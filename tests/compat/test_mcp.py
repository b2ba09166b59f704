"""Tool servers: one made with the official MCP package, behind sessions of clients that know of them."""

import pytest

from .clients import AGENTS, NODE, OPENAI_3
from .conftest import Process
from .environments import HERE, run

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module", params=["json", "stream"])
def tools(request, home):
    _, variables = AGENTS.command(HERE / "mcp_python" / "server.py")
    folder, common = variables["PYTHONPATH"].split(":")
    process = Process(
        "server", request.param, pattern=r"mcp on port (\d+) ", log=home / f"mcp-{request.param}.log",
        path=(folder, common, HERE / "mcp_python"),
    )  # fmt: skip
    yield f"http://127.0.0.1:{process.found[1]}/mcp"
    process.stop()


@pytest.fixture(scope="module")
def talk(house, home, tools):
    return run(OPENAI_3, "openai_python/mcp.py", house.given(mcp=tools), home=home)


def test_every_event_is_valid_under_the_sdks_own_types(talk):
    assert talk["wrong"] == []
    assert {"mcp_list_tools.in_progress", "response.mcp_call.in_progress", "response.mcp_call.failed"} <= set(
        talk["seen"]
    )


def test_tools_are_listed_and_secrets_are_not_told_again(talk):
    assert talk["listed"] == ["get_weather", "break_down", "ring_bell"]
    assert "secret" not in talk["echoed"]


def test_a_tool_is_called_and_the_model_tells_of_its_output(talk):
    assert talk["output"] == "sunny in paris"
    assert "sunny in paris" in talk["told"]
    assert [kind for kind in talk["called"] if "mcp_call" in kind][-3:] == [
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]


def test_a_call_waits_for_its_approval(talk):
    assert talk["approved_True"] == ["rang 1 times", None, True]
    output, error, same = talk["approved_False"]
    assert (output, same) == (None, True)
    assert error == {"type": "tool_execution_error", "message": "The call was not approved: so it is"}


def test_a_tool_that_fails_is_told_as_such(talk):
    assert talk["broken"]["type"] == "tool_execution_error"
    assert "response.mcp_call.failed" in talk["kinds"]


def test_the_agents_sdk_approves_and_goes_on_by_itself(house, home, tools):
    facts = run(NODE, "agents_node/mcp.mjs", house.given(mcp=tools), home=home)
    assert (facts["wrong"], facts["errors"]) == ([], [])
    assert facts["listed"] == ["get_weather", "break_down", "ring_bell"]
    assert facts["completed"] == [["get_weather", "sunny in paris"]]
    assert [role for role, _ in facts["words"]] == ["user", "assistant"]
    assert "sunny in paris" in facts["words"][1][1]
