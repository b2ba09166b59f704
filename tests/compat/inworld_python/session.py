"""A client as Inworld's guide writes it for Python: websockets, a Basic key, `key` and `protocol` in the URL."""

import asyncio
import base64
import json
import time
from pathlib import Path

import websockets
from report import GIVEN, tell

URL = f"{GIVEN['ws']}/api/v1/realtime/session?key=voice-{int(time.time() * 1000)}&protocol=realtime"
BASIC = base64.b64encode(f"compat:{GIVEN['key']}".encode()).decode()
SESSION = {
    "type": "realtime",
    "model": "inworld/demo",
    "instructions": "Be brief.",
    "output_modalities": ["audio", "text"],
    "temperature": 0.8,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "inworld/inworld-stt-1", "language": "en"},
            "turn_detection": {"type": "semantic_vad", "eagerness": "high", "interrupt_response": True},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "model": "inworld-tts-2", "voice": "Clive"},
    },
    "tools": [
        {
            "type": "function",
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        }
    ],
    "providerData": {"user_id": "u-7", "metadata": {"tier": "gold"}},
}


class Client:
    """One socket."""

    def __init__(self, socket):
        self.socket = socket
        self.seen = set()

    async def send(self, kind, **fields):
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def next(self, before):
        try:
            return json.loads(await asyncio.wait_for(self.socket.recv(), 25))
        except TimeoutError:
            raise RuntimeError(f"nothing came after {[event['type'] for event in before]}") from None

    async def until(self, kind):
        """Events up to and with the first of this kind."""
        events = []
        while not events or events[-1]["type"] != kind:
            events.append(await self.next(events))
            self.seen.add(events[-1]["type"])
            if events[-1]["type"] == "error" != kind:
                raise RuntimeError(events[-1])
        return events

    async def say(self, text):
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await self.send("response.create")

    async def speak(self, name):
        sound = Path(GIVEN["speech"][name]).read_bytes() + bytes(48 * 1500)
        for at in range(0, len(sound), 4800):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(sound[at : at + 4800]).decode())
            await asyncio.sleep(0.01)


def joined(events, kind):
    return "".join(event["delta"] for event in events if event["type"] == kind)


def sound(events):
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")


async def converse(client):
    created = (await client.until("session.created"))[-1]
    await client.send("session.update", session=SESSION)
    updated = (await client.until("session.updated"))[-1]["session"]
    tell(session=bool(created["session"]["id"]), model=updated["model"], modalities=updated["output_modalities"])
    tell(voice=updated["audio"]["output"]["voice"], provider=updated["providerData"])
    await client.say("say hello world")
    events = await client.until("response.done")
    done = events[-1]
    tell(
        words=joined(events, "response.output_audio_transcript.delta"),
        text=joined(events, "response.output_text.delta"),
        bytes=len(sound(events)),
        parts=sorted({part["type"] for item in done["response"]["output"] for part in item["content"]}),
        attempts=done["response"]["metadata"]["attempts"],
        usage_twice=done["usage"] == done["response"]["usage"],
    )


async def call_a_tool(client):
    await client.say("what is the weather in paris, use get_weather")
    events = await client.until("response.done")
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    (call,) = [item for item in items if item["type"] == "function_call"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    await client.send("conversation.item.create", item=output)
    events = await client.until("response.done")  # the endpoint answers a tool's output by itself
    tell(tool=[call["name"], call["arguments"]], told=joined(events, "response.output_audio_transcript.delta"))


async def talk_over(client):
    await client.speak("question")
    events = await client.until("response.done")
    heard = [e["transcript"] for e in events if e["type"].endswith("input_audio_transcription.completed")]
    tell(heard=heard, spoken=joined(events, "response.output_audio_transcript.delta"), spoken_bytes=len(sound(events)))
    await client.say("count to sixty")
    await client.until("response.output_audio.delta")
    await client.speak("stop")
    events = await client.until("response.done")
    await client.send("response.cancel")
    tell(interrupted=events[-1]["response"]["status"], speech=[e["type"] for e in events if "speech" in e["type"]])


async def main():
    tell(websockets=websockets.__version__)
    async with websockets.connect(URL, additional_headers={"Authorization": f"Basic {BASIC}"}) as socket:
        client = Client(socket)
        await converse(client)
        await call_a_tool(client)
        await talk_over(client)
        await client.send("nonsense", event_id="mine")
        error = (await client.until("error"))[-1]["error"]
        while error["code"] == "response_cancel_not_active":
            error = (await client.until("error"))[-1]["error"]
        tell(error=error["code"], seen=sorted(client.seen))
    try:
        await websockets.connect(URL, additional_headers={"Authorization": "Basic d3Jvbmc6a2V5"})
    except websockets.exceptions.InvalidStatus as refused:
        tell(refused=refused.response.status_code)


asyncio.run(main())
