"""The same for voice: what a relayed session and a tool server are told, and what they repeat of it in their errors."""

import asyncio
import json

import pytest

from tests.faults.street import KEY, OTHER_KEY, PROVIDER_KEY
from tests.faults.voice import Spoken, VoiceStreet, fallback
from tests.realtime.mcp.test_client import Server
from tests.realtime.relay.rig import event
from tests.realtime.voice_rig import grammar

CANARIES = {
    place: f"canary-{place}-77b0e2" for place in ("instructions", "item", "tool-key", "tool-header", "tool-query")
}
SECRETS = (KEY, OTHER_KEY, PROVIDER_KEY)
ECHO = f"Incorrect API key provided: {PROVIDER_KEY}, at https://{PROVIDER_KEY}@internal.example/v1"


class Leaking(Spoken):
    """Repeats our key in everything that it says of a fault."""

    async def leaking(self, socket, seen, _script):
        await self._serve(socket, seen, until=lambda all_of_it: all_of_it[-1]["type"] == "response.create")
        fault = {"type": "server_error", "code": "server_error", "message": ECHO}
        response = {"id": f"resp_leak{len(self.seen)}", "object": "realtime.response", "output": [], "usage": None,
                    "metadata": None, "status": "in_progress", "status_details": None}  # fmt: skip
        await socket.send(event("response.created", response=response))
        details = {"type": "failed", "error": fault}
        await socket.send(event("response.done", response={**response, "status": "failed", "status_details": details}))
        await socket.send(event("error", error={**fault, "type": "invalid_request_error"}))
        await socket.send(event("error", error=fault))
        await socket.close(1011, f"bad key {PROVIDER_KEY}")


class LeakingStreet(VoiceStreet):
    """Its realtime provider leaks; so does its tool server, of what it was given."""

    routers = {  # noqa: RUF012 - never changed
        "leaking": fallback("leaking", "spoken/leaking__1", "spoken/leaking__2", "realtime")
    }

    def __init__(self, folder):
        super().__init__(folder)
        self.extra += "  mcp: {allow_private: true}\n"

    async def _open(self):
        await super()._open()
        self.spoken.__class__ = Leaking


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with LeakingStreet(grammar(tmp_path_factory.mktemp("leaks"))) as street:
        street.witness.unheard = True
        yield street


def assert_clean(street, words):
    street.until(lambda: len(street.requests()) > 0, 3)
    sinks = {"log": street.stderr.read_bytes(), "metrics": street.client.get("/metrics").content}
    sinks["recent"] = street.client.get("/v1/router/requests", params={"limit": 1000}).content
    sinks |= {path.name: path.read_bytes() for path in street.folder.glob("records.db*")}
    assert [(name, word) for name, held in sinks.items() for word in words if word.encode() in held] == []


async def test_a_realtime_provider_that_repeats_our_key_tells_it_to_nobody(street):
    async with street.relayed("leaking") as client:
        await client.send("session.update", session={"type": "realtime", "instructions": CANARIES["instructions"]})
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": CANARIES["item"]}]}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        await client.until("response.done")
        while "closed" not in client.kinds() and len(client.of("error")) < 4:
            await client.send("response.create")
            await asyncio.sleep(0.2)
    heard = json.dumps(client.events)
    assert "[redacted]" in heard
    assert PROVIDER_KEY not in heard
    assert "internal.example" not in heard
    told = str(street.spoken.seen) + str(street.spoken.headers)
    assert all(word in told for word in (CANARIES["instructions"], CANARIES["item"], PROVIDER_KEY))
    assert KEY not in told, "the caller's key is ours to check and nobody's to have"
    assert_clean(street, (*SECRETS, *CANARIES.values()))


async def test_a_tool_server_that_repeats_what_it_was_given_tells_it_to_no_log(street):
    tools = Server()
    tools.script["tools/list"] = lambda _headers, _message: {
        "error": {"code": -32000, "message": f"refused {tools.seen[-1]}"}
    }
    async with tools.running() as url:
        tool = {"type": "mcp", "server_label": "weather", "server_url": f"{url}&token={CANARIES['tool-query']}",
                "require_approval": "never", "authorization": CANARIES["tool-key"],
                "headers": {"x-key": CANARIES["tool-header"]}}  # fmt: skip
        async with street.session("east/ok@tools") as client:
            session = {"type": "realtime", "output_modalities": ["text"], "tools": [tool]}
            await client.send("session.update", session=session)
            while not client.of("mcp_list_tools.completed") and not client.of("mcp_list_tools.failed"):
                await asyncio.sleep(0.05)
        shown = json.dumps(client.of("session.updated"))
    assert client.of("mcp_list_tools.failed")
    assert all(CANARIES[name] in str(tools.seen) for name in ("tool-key", "tool-header", "tool-query"))
    assert [name for name in ("tool-key", "tool-header") if CANARIES[name] in shown] == []
    assert_clean(street, (*SECRETS, *CANARIES.values()))
