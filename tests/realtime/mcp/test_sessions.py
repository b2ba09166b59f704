"""A voice session with a tool server behind it, from the socket to the server and back."""

import json

import pytest

from realtime.protocol import ToolServer
from tests.realtime.mcp.test_client import Server
from tests.realtime.voice_rig import connected, running
from tests.realtime.wire_shapes import event_complaints

FILE = """
version: 1
providers: {{demo: {{kind: demo}}}}
{more}
records: {{url: "memory://"}}
"""
KEYED = "auth: {keys: [{id: a, secret: unused-but-long}]}\n"
PATH = "/v1/realtime?model=demo/fast"


def definition(url, **more):
    return {"type": "mcp", "server_label": "weather", "server_url": url, "require_approval": "never", **more}


async def listed(client, **tool):
    """Name a server; the item of its list."""
    await client.send("session.update", session={"type": "realtime", "output_modalities": ["text"], "tools": [tool]})
    return (await client.until("conversation.item.done"))["item"]


async def test_a_tool_is_called_and_the_session_goes_on_by_itself_where_it_is_wanted(tmp_path):
    tools = Server()
    async with tools.running() as url:
        with running(tmp_path, FILE.format(more=""), {}) as port:
            async with connected(port, PATH, microphone=False) as client:
                item = await listed(client, **definition(url, authorization="token-1", headers={"x-key": "key-1"}))
                assert [tool["name"] for tool in item["tools"]] == ["get_weather"]
                await client.send(
                    "session.update", session={"type": "realtime", "providerData": {"auto_tool_response": True}}
                )
                words = [{"type": "input_text", "text": "use get_weather for the city paris"}]
                message = {"type": "message", "role": "user", "content": words}
                await client.send("conversation.item.create", item=message)
                await client.send("response.create")
                call = (await client.done())["output"][0]
                assert (call["type"], call["output"], call["error"]) == ("mcp_call", "sunny", None)
                told = (await client.done())["output"][0]["content"][0]["text"]
                assert "sunny" in told
            complaints = [event_complaints(event) for event in client.events if event["type"] != "closed"]
            assert [one for one in complaints if one] == []
            assert "token-1" not in json.dumps(client.events)
            assert "key-1" not in json.dumps(client.events)
    assert {headers["authorization"] for _, headers, _ in tools.seen} == {"Bearer token-1"}
    log = (tmp_path / "server.log").read_text()
    assert "token-1" not in log
    assert "paris" not in log


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (KEYED, "egress guard"),
        ("realtime: {mcp: {allow_private: false}}\n", "egress guard"),
    ],
)
async def test_loopback_is_closed_to_tool_servers_where_callers_may_be_elsewhere(tmp_path, more, reason):
    tools = Server()
    async with tools.running() as url:
        with running(tmp_path, FILE.format(more=more), {}) as port:
            headers = {"authorization": "Bearer unused-but-long"}
            async with connected(port, PATH, microphone=False, headers=headers) as client:
                item = await listed(client, **definition(url))
                assert reason in item["error"]
                await client.until("mcp_list_tools.failed")
    assert tools.seen == []


async def test_hosts_that_the_operator_does_not_name_are_refused_with_their_place(tmp_path):
    more = 'realtime: {mcp: {hosts: ["*.example"]}}\n'
    with running(tmp_path, FILE.format(more=more), {}) as port:
        async with connected(port, PATH, microphone=False) as client:
            session = {"type": "realtime", "tools": [definition("https://tools.other/mcp")]}
            await client.send("session.update", session=session)
            error = (await client.until("error"))["error"]
            assert (error["code"], error["param"]) == ("invalid_value", "session.tools[0].server_url")
            assert "realtime.mcp.hosts" in error["message"]
            await client.send("response.create", response={"tools": session["tools"]})
            assert (await client.until("error"))["error"]["param"] == "response.tools[0].server_url"


def test_a_server_is_told_apart_by_all_that_makes_it():
    assert ToolServer("a", "https://x.example", {"k": "1"}) != ToolServer("a", "https://x.example", {"k": "2"})
