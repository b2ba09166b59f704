"""Which tools of a server a model may call, by which names, and which calls ask first."""

import pytest

from realtime.protocol.tool_servers import (
    ServerTool,
    ToolServer,
    admitted,
    asks_first,
    function_name,
    offer,
    server_of,
    unknown_server,
    whole,
)

READ = ServerTool("read", {"type": "object"}, "Reads.", {"readOnlyHint": True})
WRITE = ServerTool("write", {"type": "object"})
SERVER = {"type": "mcp", "server_label": "files", "server_url": "https://files.example/mcp"}
LISTS = {"files": (READ, WRITE)}


def names(tools):
    return [tool.name for tool in tools]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, ["read", "write"]),
        (["write", "nothing"], ["write"]),
        ([], []),
        ({}, ["read", "write"]),
        ({"tool_names": ["read"]}, ["read"]),
        ({"read_only": True}, ["read"]),
        ({"read_only": False}, ["write"]),
        ({"read_only": True, "tool_names": ["write"]}, []),
    ],
)
def test_allowed_tools_is_a_list_or_a_filter(allowed, expected):
    assert names(admitted({**SERVER, "allowed_tools": allowed}, LISTS["files"])) == expected


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (None, ["read", "write"]),
        ("always", ["read", "write"]),
        ("never", []),
        ({}, ["read", "write"]),
        ({"never": {"tool_names": ["read"]}}, ["write"]),
        ({"never": {"read_only": True}}, ["write"]),
        ({"always": {"tool_names": ["write"]}, "never": {}}, ["write"]),
        ({"always": {"tool_names": ["write"]}}, ["read", "write"]),
    ],
)
def test_every_call_asks_first_unless_it_is_said_otherwise(wanted, asked):
    definition = {**SERVER, "require_approval": wanted}
    assert [tool.name for tool in (READ, WRITE) if asks_first(definition, tool)] == asked


def test_a_server_is_made_of_its_definition_and_shows_no_secret():
    server = server_of({**SERVER, "headers": {"x-key": "hidden-1"}, "authorization": "hidden-2"})
    assert server == ToolServer("files", SERVER["server_url"], {"x-key": "hidden-1"}, "hidden-2")
    assert "hidden" not in repr(server)


def test_a_model_sees_functions_under_names_that_nobody_else_has():
    function = {"type": "function", "name": "read", "parameters": {}}
    found = offer([function, SERVER], "auto", LISTS)
    assert [tool["name"] for tool in found.functions] == ["read", "files__read", "write"]
    assert found.functions[1] == {
        "type": "function",
        "name": "files__read",
        "description": "Reads.",
        "parameters": {"type": "object"},
    }
    assert {name: tool.name for name, tool in found.remote.items()} == {"files__read": "read", "write": "write"}
    assert found.choice == "auto"


def test_names_that_no_function_may_have_are_made_fit():
    assert function_name("s", "files.read me") == "files_read_me"
    assert len(function_name("s", "x" * 200)) == 64
    assert function_name("s", "a", {"a", "s__a"}) == "s__a_2"
    assert function_name("s", "a", {"a", "s__a", "s__a_2"}) == "s__a_3"


def test_a_chosen_server_tool_is_one_function_or_any_of_the_server():
    function = {"type": "function", "name": "look"}
    one = offer([function, SERVER], {"type": "mcp", "server_label": "files", "name": "write"}, LISTS)
    assert one.choice == {"type": "function", "name": "write"}
    assert len(one.functions) == 3
    some = offer([function, SERVER], {"type": "mcp", "server_label": "files"}, LISTS)
    assert some.choice == "required"
    assert [tool["name"] for tool in some.functions] == ["read", "write"]
    unlisted = offer([function, SERVER], {"type": "mcp", "server_label": "files"}, {})
    assert (unlisted.choice, len(unlisted.functions)) == ("auto", 1)
    own = offer([function, SERVER], {"type": "function", "name": "look"}, LISTS)
    assert own.choice == {"type": "function", "name": "look"}


def test_a_choice_of_a_server_that_is_no_tool_is_found():
    choice = {"type": "mcp", "server_label": "mail"}
    assert unknown_server([SERVER], choice) == "mail"
    assert unknown_server([SERVER], {**choice, "server_label": "files"}) is None
    assert unknown_server([SERVER], "auto") is None
    assert unknown_server([SERVER], {"type": "function", "name": "f"}) is None


def test_a_response_may_name_a_server_of_the_session_by_its_label():
    short = {"type": "mcp", "server_label": "files", "require_approval": "never"}
    function = {"type": "function", "name": "look"}
    assert whole([function, short], [SERVER]) == (function, {**SERVER, "require_approval": "never"})
    assert whole([SERVER], []) == (SERVER,)
    assert whole([short], []) == (short,)
