"""The openai package and a tool server: listed, called, approved, denied; every event held against the SDK's types."""

import asyncio
import json

import openai
from openai.types.realtime import RealtimeServerEvent
from openai_types import Judge
from report import GIVEN, tell


async def until(connection, judge, kind):
    """Events up to and with the first of a kind."""
    events = []
    while not events or events[-1].type != kind:
        raw = await asyncio.wait_for(connection.recv_bytes(), 25)
        judge.look(json.loads(raw))
        events.append(connection.parse_event(raw))
        if events[-1].type == "error":
            raise RuntimeError(events[-1].model_dump_json())
    return events


def items(events, kind):
    """The finished items of a kind."""
    return [one.item for one in events if one.type == "conversation.item.done" and one.item.type == kind]


async def say(connection, words):
    content = [{"type": "input_text", "text": words}]
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})


async def main():
    judge = Judge(RealtimeServerEvent)
    client = openai.AsyncOpenAI(
        api_key=GIVEN["key"], base_url=f"{GIVEN['http']}/v1", websocket_base_url=f"{GIVEN['ws']}/v1"
    )
    async with client.realtime.connect(model="gpt-realtime") as connection:
        server = {
            "type": "mcp",
            "server_label": "tools",
            "server_url": GIVEN["mcp"],
            "authorization": "secret-token",
            "headers": {"x-secret": "secret-header"},
            "require_approval": {"never": {"read_only": True}},
        }
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "tools": [server]})
        events = await until(connection, judge, "mcp_list_tools.completed")
        updated = next(one for one in events if one.type == "session.updated")
        tell(echoed=updated.model_dump_json())
        tell(listed=[tool.name for tool in items(events, "mcp_list_tools")[0].tools])

        await say(connection, "use get_weather for the city paris")
        await connection.response.create()
        events = await until(connection, judge, "response.done")
        tell(called=[one.type for one in events], output=events[-1].response.output[0].output)
        await connection.response.create()
        tell(told=(await until(connection, judge, "response.done"))[-1].response.output[0].content[0].text)

        forced = {"tool_choice": {"type": "mcp", "server_label": "tools", "name": "ring_bell"}}
        for approve in (True, False):
            await say(connection, "now please")
            await connection.response.create(response=forced)
            events = await until(connection, judge, "response.done")
            question = items(events, "mcp_approval_request")[0]
            answer = {"type": "mcp_approval_response", "id": f"answer_{approve}", "approval_request_id": question.id}
            await connection.conversation.item.create(item={**answer, "approve": approve, "reason": "so it is"})
            await connection.response.create(response={"tool_choice": "none"})
            events = await until(connection, judge, "response.done")
            call = items(events, "mcp_call")[0]
            tell(
                **{
                    f"approved_{approve}": [
                        call.output,
                        call.error and call.error.model_dump(),
                        call.approval_request_id == question.id,
                    ]
                }
            )

        await say(connection, "once more")
        await connection.response.create(
            response={
                "tools": [{"type": "mcp", "server_label": "tools", "require_approval": "never"}],
                "tool_choice": {"type": "mcp", "server_label": "tools", "name": "break_down"},
            }
        )
        events = await until(connection, judge, "response.done")
        tell(broken=events[-1].response.output[0].error.model_dump(), kinds=[one.type for one in events])
    tell(wrong=judge.wrong, seen=sorted(judge.seen))


asyncio.run(main())
