"""The MCP client against a server that does what it is told to: pages, streams, lost sessions, faults of every kind."""

import asyncio
import contextlib
import json

import pytest

from realtime import protocol as p
from realtime.mcp.client import Client
from realtime.mcp.endpoint import Endpoint, ToolServerFault, reachable
from realtime.mcp.errands import McpErrands, Tls

WEATHER = {"name": "get_weather", "description": "Weather.", "inputSchema": {"type": "object"}, "annotations": {}}


class Server:
    """Answers JSON-RPC over HTTP/1.1 on loopback; `script` maps a method to what it does with a message."""

    def __init__(self):
        self.seen = []
        self.script = {}
        self.stream = False
        self.sessions = ["s-1", "s-2"]
        self.serving = set()

    @contextlib.asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            try:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp?tenant=7"
            finally:
                for task in self.serving:
                    task.cancel()
                await asyncio.gather(*self.serving, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.serving.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                target, headers = head.split(" ")[1], dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
                message = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.seen.append((target, headers, message))
                writer.write(await self._answer(headers, message))
                await writer.drain()

    async def _answer(self, headers, message):
        wanted = self.script.get(message["method"], self.usual)
        found = wanted(headers, message)
        if asyncio.iscoroutine(found):
            found = await found
        if isinstance(found, bytes):
            return found
        if found is None:
            return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        return self.reply(found, message, more=f"mcp-session-id: {self.sessions[0]}\r\n")

    def reply(self, found, message, more=""):
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **found})
        if self.stream:
            notice = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
            body = f": hello\r\n\r\ndata: {notice}\r\n\r\nid: 1\r\nevent: message\r\ndata: {body}\r\n\r\n"
            return f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{more}\r\n{body}".encode()
        kind = f"content-type: application/json\r\ncontent-length: {len(body.encode())}"
        return f"HTTP/1.1 200 OK\r\n{kind}\r\n{more}\r\n{body}".encode()

    def usual(self, _headers, message):
        match message["method"]:
            case "initialize":
                return {"result": {"protocolVersion": "2025-06-18", "capabilities": {}}}
            case "notifications/initialized":
                return None
            case "tools/list":
                return {"result": {"tools": [WEATHER]}}
            case _:
                return {"result": {"content": [{"type": "text", "text": "sunny"}]}}

    def methods(self):
        return [message["method"] for _, _, message in self.seen]


@pytest.fixture
async def server():
    return Server()


@contextlib.asynccontextmanager
async def client(server, **server_options):
    async with server.running() as url:
        endpoint = Endpoint(p.ToolServer("weather", url, **server_options), allow_private=True)
        try:
            yield Client(endpoint, limit_s=2)
        finally:
            endpoint.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_session_is_opened_once_and_told_in_every_request(server, stream):
    server.stream = stream
    async with client(server, headers={"x-tenant": "a", "accept": "text/html"}, authorization="token-1") as asking:
        assert [tool.name for tool in await asking.tools()] == ["get_weather"]
        assert await asking.call("get_weather", '{"city": "paris"}') == "sunny"
    assert server.methods() == ["initialize", "notifications/initialized", "tools/list", "tools/call"]
    targets, heads, messages = zip(*server.seen, strict=True)
    assert set(targets) == {"/mcp?tenant=7"}
    assert {head["authorization"] for head in heads} == {"Bearer token-1"}
    assert {(head["x-tenant"], head["accept"]) for head in heads} == {("a", "application/json, text/event-stream")}
    assert [head.get("mcp-session-id") for head in heads] == [None, "s-1", "s-1", "s-1"]
    assert [head.get("mcp-protocol-version") for head in heads][1:] == ["2025-06-18"] * 3
    assert messages[3]["params"] == {"name": "get_weather", "arguments": {"city": "paris"}}


async def test_every_page_of_tools_is_read(server):
    def pages(_headers, message):
        page = int(message["params"].get("cursor", 0))
        more = {"nextCursor": str(page + 1)} if page < 2 else {}
        return {"result": {"tools": [{"name": f"tool_{page}"}, "nonsense"], **more}}

    server.script["tools/list"] = pages
    async with client(server) as asking:
        assert [tool.name for tool in await asking.tools()] == ["tool_0", "tool_1", "tool_2"]


async def test_a_server_that_has_no_end_of_pages_is_given_up(server):
    server.script["tools/list"] = lambda *_: {"result": {"tools": [WEATHER] * 100, "nextCursor": "more"}}
    async with client(server) as asking:
        with pytest.raises(ToolServerFault, match="more than 512 tools"):
            await asking.tools()


async def test_a_server_that_forgot_the_session_is_greeted_anew(server):
    def forgets(headers, message):
        if headers.get("mcp-session-id") == "s-1":
            server.sessions = ["s-2"]
            return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
        return server.usual(headers, message)

    server.script["tools/call"] = forgets
    async with client(server) as asking:
        assert await asking.call("get_weather", "{}") == "sunny"
    assert server.methods().count("initialize") == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", {"type": "http_error", "code": 401}),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", {"type": "http_error", "code": 404}),
        (
            b"HTTP/1.1 307 Away\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            {"type": "http_error", "code": 307},
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", {"type": "http_error", "code": 502}),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull",
            {"type": "http_error", "code": 502},
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n\r\n",
            {"type": "http_error", "code": 502},
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\ndata: 1\n\n",
            {"type": "http_error", "code": 502},
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 2000000\r\n\r\n" + b":" * 2_000_000,
            {"type": "http_error", "code": 502},
        ),
        (b"not http at all\r\n\r\n", {"type": "http_error", "code": 502}),
        ({"error": {"code": -32601, "message": "no tools here"}}, {"type": "protocol_error", "code": -32601}),
        ({"error": {"message": "no code"}}, {"type": "protocol_error", "code": -32602}),
        ({"result": "nothing"}, {"type": "protocol_error", "code": -32602}),
        (
            {"result": {"isError": True, "content": [{"type": "text", "text": "no such city"}]}},
            {"type": "tool_execution_error", "message": "no such city"},
        ),
        ({"result": {"isError": True}}, {"type": "tool_execution_error", "message": "the tool failed"}),
    ],
)
async def test_what_goes_wrong_is_said_in_the_words_of_the_wire(server, answer, error):
    server.script["tools/call"] = lambda *_: answer
    async with client(server) as asking:
        with pytest.raises(ToolServerFault) as caught:
            await asking.call("get_weather", "{}")
    assert {**caught.value.error, **error} == caught.value.error


@pytest.mark.parametrize("arguments", ["[1]", "{", '"text"'])
async def test_arguments_that_are_no_object_are_not_sent(server, arguments):
    async with client(server) as asking:
        with pytest.raises(ToolServerFault, match="not a JSON object"):
            await asking.call("get_weather", arguments)
    assert server.seen == []


async def test_a_revision_nobody_knows_is_refused(server):
    server.script["initialize"] = lambda *_: {"result": {"protocolVersion": "1999-01-01"}}
    async with client(server) as asking:
        with pytest.raises(ToolServerFault, match="1999-01-01"):
            await asking.tools()


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        (
            {"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}, 5]},
            '{"type":"image","mimeType":"image/png"}',
        ),
        ({"content": [], "structuredContent": {"degrees": 21}}, '{"degrees":21}'),
        ({}, ""),
        (
            {"content": [{"type": "text", "text": "x" * 200_000}]},
            "x" * 131_072 + "\n[cut off: 200000 characters]",
        ),
    ],
)
async def test_a_result_is_told_as_text(server, result, text):
    server.script["tools/call"] = lambda *_: {"result": result}
    async with client(server) as asking:
        assert await asking.call("get_weather", "") == text


async def test_a_batch_is_searched_for_the_answer(server):
    def batch(_headers, message):
        body = json.dumps([{"id": "other"}, {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}])
        return (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )

    server.script["tools/call"] = batch
    async with client(server) as asking:
        assert await asking.call("get_weather", "{}") == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://files.example/mcp", None),
        ("https://FILES.example./mcp?key=1", None),
        ("https://other.example/mcp", "realtime.mcp.hosts"),
        ("https://user:pass@files.example/", "must not carry a user name"),
        ("https://files.example/mcp#part", "fragment"),
        ("ftp://files.example/", "must begin with http"),
        ("https://files.example/ä", "plain ASCII"),
        ("https://files.example:x/", "not well formed"),
    ],
)
def test_which_servers_may_be_named(url, reason):
    found = reachable(url, ("files.example",))
    assert (found is None) if reason is None else reason in found
    assert "pass" not in (found or "")


def test_a_header_that_cannot_be_sent_is_refused_before_anything_is():
    with pytest.raises(ToolServerFault, match="'x-a' must be printable"):
        Endpoint(p.ToolServer("s", "http://127.0.0.1/", {"x-a": "a\r\nb"}), allow_private=True)


# --- errands ----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def errands(server, **options):
    wanted = {"allow_private": True, "limit_s": 2.0, "session_id": "sess_1", **options}
    async with server.running() as url:
        sent = McpErrands(Tls(), **wanted)
        try:
            yield sent, p.ToolServer("weather", url)
        finally:
            sent.close()


async def test_an_errand_is_reported_once_it_is_done(server):
    async with errands(server) as (sent, weather):
        listed = await sent.list(p.ListTools("item_1", weather))
        answered = await sent.call(p.CallTool("item_2", weather, "get_weather", "{}"))
    assert (listed.item_id, [tool.name for tool in listed.tools]) == ("item_1", ["get_weather"])
    assert (answered.item_id, answered.output, answered.error) == ("item_2", "sunny", None)
    assert server.methods().count("initialize") == 1


async def test_an_errand_that_fails_is_reported_as_well(server):
    server.script["tools/list"] = server.script["tools/call"] = lambda *_: {"error": {"code": 5, "message": "no"}}
    async with errands(server) as (sent, weather):
        listed = await sent.list(p.ListTools("item_1", weather))
        answered = await sent.call(p.CallTool("item_2", weather, "get_weather", "{}"))
    assert (listed.tools, listed.reason) == (None, "no")
    assert answered.error == {"type": "protocol_error", "code": 5, "message": "no"}


async def test_a_server_that_is_silent_is_given_up_in_time(server):
    async def silent(*_):
        await asyncio.sleep(60)

    server.script["tools/call"] = silent
    async with errands(server, limit_s=0.2) as (sent, weather):
        answered = await sent.call(p.CallTool("item_2", weather, "get_weather", "{}"))
    assert (answered.error["type"], answered.error["code"]) == ("http_error", 504)


async def test_private_addresses_are_refused_by_the_guard_unless_they_are_allowed(server):
    async with errands(server, allow_private=False) as (sent, weather):
        listed = await sent.list(p.ListTools("item_1", weather))
    assert "egress guard" in listed.reason
    assert server.seen == []


async def test_the_log_tells_how_long_it_took_and_nothing_of_what_was_said(server, caplog):
    caplog.set_level("INFO", "realtime.mcp")
    async with errands(server) as (sent, weather):
        await sent.call(p.CallTool("item_2", weather, "get_weather", '{"city": "secret city"}'))
    fields = caplog.records[0].fields
    assert (fields["errand"], fields["outcome"], fields["session_id"]) == ("call", "success", "sess_1")
    assert "secret" not in str(fields)
    assert "tenant" not in str(fields)
