"""openai-agents' realtime session: its own defaults, tools run by the SDK; every event passes its strict validation."""

import asyncio
import logging
from pathlib import Path

from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner
from report import GIVEN, tell

set_tracing_disabled(True)
COMPLAINTS: list[str] = []


class Complaints(logging.Handler):
    """What the SDK logs as an error."""

    def emit(self, record):
        COMPLAINTS.append(record.getMessage()[:800])


logging.getLogger("openai.agents").addHandler(Complaints(logging.WARNING))


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


class Listener:
    """Collects a session's events; `until` waits for one."""

    def __init__(self, session):
        self.session = session
        self.events = []
        self.read = 0
        self.came = asyncio.Event()

    async def collect(self):
        async for event in self.session:
            self.events.append(event)
            self.came.set()

    async def until(self, wanted, limit_s=30):
        """The events up to the first that fits; those are then behind us."""
        async with asyncio.timeout(limit_s):
            start = self.read
            while True:
                while self.read < len(self.events):
                    self.read += 1
                    if wanted(self.events[self.read - 1]):
                        return self.events[start : self.read]
                self.came.clear()
                await self.came.wait()


def kind(name):
    return lambda event: event.type == name


def raw(name):
    """The server's own event inside."""

    def fits(event):
        if event.type != "raw_model_event" or event.data.type != "raw_server_event":
            return False
        return event.data.data.get("type") == name

    return fits


def said(event):
    """A response that ends with a message."""
    if not raw("response.done")(event):
        return False
    return any(item["type"] == "message" for item in event.data.data["response"]["output"])


async def speak(session, name, silence_ms=5000):
    sound = Path(GIVEN["speech"][name]).read_bytes() + bytes(48 * silence_ms)
    for at in range(0, len(sound), 4800):
        await session.send_audio(sound[at : at + 4800])
        await asyncio.sleep(0.005)


def words(history):
    """Role and text of every message, in the order the SDK holds them."""
    told = []
    for item in history:
        if item.type == "message":
            parts = [getattr(part, "text", None) or getattr(part, "transcript", None) or "" for part in item.content]
            told.append([item.role, " ".join(parts)])
    return told


async def converse(session, listener):
    await listener.until(raw("session.updated"))
    await session.send_message("say hello world")
    events = await listener.until(kind("agent_end"))
    tell(sound_bytes=sum(len(event.audio.data) for event in events if event.type == "audio"))
    tell(first_history=words(session._history))

    await session.send_message("use get_weather for the city paris")
    await listener.until(kind("tool_end"))
    await listener.until(said)  # the response that called the tool may well end after the tool did
    await listener.until(kind("agent_end"))
    ends = [event for event in listener.events if event.type == "tool_end"]
    tell(tool=[ends[0].tool.name, ends[0].output])

    await speak(session, "question")
    await listener.until(raw("conversation.item.input_audio_transcription.completed"))
    await listener.until(kind("agent_end"))
    await asyncio.sleep(0.3)
    tell(history=words(session._history))

    await session.send_message("count to sixty")
    await listener.until(kind("audio"))
    await speak(session, "stop", 100)
    await listener.until(kind("audio_interrupted"))
    await listener.until(raw("response.done"))
    done = [event.data.data["response"] for event in listener.events if raw("response.done")(event)]
    truncated = listener.until(raw("conversation.item.truncated"), 5)
    tell(interrupted=[done[-1]["status"], (done[-1]["status_details"] or {}).get("reason")])
    tell(truncated=len(await truncated) > 0)


async def main():
    agent = RealtimeAgent(name="Voice", instructions="be brief", tools=[get_weather])
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    url = f"{GIVEN['ws']}/v1/realtime?model=gpt-realtime"
    session = await runner.run(model_config={"url": url, "api_key": GIVEN["key"]})
    async with session:
        listener = Listener(session)
        collecting = asyncio.create_task(listener.collect())
        try:
            await converse(session, listener)
        finally:
            collecting.cancel()
            seen = {
                event.data.data.get("type")
                for event in listener.events
                if event.type == "raw_model_event" and event.data.type == "raw_server_event"
            }
            tell(
                errors=[repr(event.error)[:600] for event in listener.events if event.type == "error"],
                complaints=COMPLAINTS,
                seen=sorted(seen),
            )


asyncio.run(main())
