"""The openai package against the voice sessions, in the GA shape or (GIVEN["shape"] == "beta") in the beta shape."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import openai
from openai_types import Judge
from report import GIVEN, tell

BETA = GIVEN["shape"] == "beta"
if BETA:
    from openai.types.beta.realtime import RealtimeServerEvent
else:
    from openai.types.realtime import RealtimeServerEvent

MODEL = "gpt-4o-realtime-preview" if BETA else "gpt-realtime"  # the beta types know a closed set of models
OUT = "" if BETA else "output_"
CHUNK = 4800  # 100 ms
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Talk:
    """A connection whose every event is held against the SDK's own type."""

    def __init__(self, connection):
        self.connection = connection
        self.judge = Judge(RealtimeServerEvent)

    async def next(self):
        """The next event, as the SDK parses it."""
        raw = await asyncio.wait_for(self.connection.recv_bytes(), 25)
        self.judge.look(json.loads(raw))
        return self.connection.parse_event(raw)

    async def until(self, *kinds, allow_error=False):
        """Events up to and with the first of one of these kinds."""
        events = []
        while True:
            event = await self.next()
            events.append(event)
            if event.type in kinds:
                return events
            if event.type == "error" and not allow_error:
                raise RuntimeError(event.model_dump_json())

    async def quiet(self, pause_s=0.3):
        """What still comes."""
        events = []
        try:
            while True:
                events.append(await asyncio.wait_for(self.next(), pause_s))
        except TimeoutError:
            return events

    async def say(self, text):
        """A user message."""
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.connection.conversation.item.create(item=item)

    async def speak(self, name, silence_ms=900):
        """A spoken sentence and the silence after it."""
        sound = Path(GIVEN["speech"][name]).read_bytes() + bytes(48 * silence_ms)
        for at in range(0, len(sound), CHUNK):
            await self.connection.input_audio_buffer.append(audio=base64.b64encode(sound[at : at + CHUNK]).decode())
            await asyncio.sleep(0.01)

    async def update(self, modalities, tools=()):
        """Settings in the shape of this connection."""
        detection = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 400, "interrupt_response": True}
        session: Any = {"instructions": "be brief", "tools": list(tools)}
        if BETA:
            transcription = {"model": "whisper-1"}
            session |= {"modalities": modalities, "turn_detection": detection, "voice": "alloy"}
            session |= {"input_audio_transcription": transcription, "input_audio_format": "pcm16", "temperature": 0.7}
        else:
            shape = {"type": "audio/pcm", "rate": 24000}
            listening = {"format": shape, "turn_detection": detection, "transcription": {"model": "whisper-1"}}
            voice = {"format": shape, "voice": "alloy", "speed": 1.0}
            session |= {"type": "realtime", "output_modalities": modalities[:1]}
            session |= {"audio": {"input": listening, "output": voice}}
        await self.connection.session.update(session=session)
        return (await self.until("session.updated"))[-1].session


def named(events, kind):
    return [event for event in events if event.type == kind]


async def text_turn(talk):
    await talk.say("say hello world")
    await talk.connection.response.create()
    events = await talk.until("response.done")
    done = events[-1].response
    tell(
        text="".join(event.delta for event in named(events, f"response.{OUT}text.delta")),
        text_order=[event.type for event in events],
        text_status=done.status,
        text_usage=done.usage.total_tokens,
        text_attempts=done.metadata["attempts"] if done.metadata else None,
        text_output=[item.type for item in done.output],
    )


async def tool_turn(talk):
    await talk.say("what is the weather in paris")
    await talk.connection.response.create(response={"tool_choice": "required"})
    events = await talk.until("response.done")
    (done,) = named(events, "response.function_call_arguments.done")
    deltas = named(events, "response.function_call_arguments.delta")
    (item,) = [event.item for event in named(events, "response.output_item.done")]
    tell(
        tool=[item.name, item.status, item.arguments, done.arguments, "".join(event.delta for event in deltas)],
        tool_call_ids=len({item.call_id, done.call_id}),
        tool_name_in_done=getattr(done, "name", None),
    )
    output: Any = {"type": "function_call_output", "call_id": item.call_id, "output": '{"weather": "sunny"}'}
    await talk.connection.conversation.item.create(item=output)
    await talk.connection.response.create()
    events = await talk.until("response.done")
    tell(tool_told="".join(event.delta for event in named(events, f"response.{OUT}text.delta")))


async def mistakes(talk):
    await talk.connection.send({"type": "nonsense.event", "event_id": "evt_mine"})
    first = (await talk.until("error", allow_error=True))[-1].error
    await talk.connection.response.cancel()
    second = (await talk.until("error", allow_error=True))[-1].error
    await talk.connection.conversation.item.retrieve(item_id="item_nowhere")
    third = (await talk.until("error", allow_error=True))[-1].error
    tell(error=[first.code, first.event_id, first.param], cancel_error=second.code, retrieve_error=third.code)


async def aside(talk):
    ask: Any = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say aside"}]}]
    response: Any = {"conversation": "none", "metadata": {"topic": "aside"}, "input": ask}
    await talk.connection.response.create(response=response)
    events = await talk.until("response.done")
    tell(
        aside="".join(event.delta for event in named(events, f"response.{OUT}text.delta")),
        aside_metadata=[event.response.metadata["topic"] for event in (*named(events, "response.created"), events[-1])],
        aside_items=[event.type for event in events if event.type.startswith("conversation.item")],
    )


async def speech_turn(talk):
    await talk.update(["audio", "text"])
    await talk.speak("question")
    events = await talk.until("response.done")
    events += await talk.quiet(1.5)
    sound = b"".join(base64.b64decode(event.delta) for event in named(events, f"response.{OUT}audio.delta"))
    spoken = "".join(event.delta for event in named(events, f"response.{OUT}audio_transcript.delta"))
    heard = named(events, "conversation.item.input_audio_transcription.completed")
    done = named(events, "response.done")[-1].response
    ids = {named(events, f"input_audio_buffer.{kind}")[0].item_id for kind in ("speech_started", "committed")}
    tell(
        heard=[event.transcript for event in heard],
        speech_order=list(dict.fromkeys(event.type for event in events)),
        sound_bytes=len(sound),
        spoken=spoken,
        spoken_done=named(events, f"response.{OUT}audio_transcript.done")[-1].transcript,
        speech_status=done.status,
        speech_ids=len(ids | {heard[0].item_id} if heard else ids),
    )


async def interruption(talk):
    await talk.say("count to sixty")
    await talk.connection.response.create()
    first = (await talk.until(f"response.{OUT}audio.delta"))[-1]
    await talk.speak("stop")
    events = await talk.until("response.done")
    done = events[-1].response
    late = []
    while not named(late, "response.done"):
        late += await talk.until("response.done")
    stray = [event for event in late if event.type == f"response.{OUT}audio.delta" and event.item_id == first.item_id]
    await talk.connection.conversation.item.truncate(item_id=first.item_id, content_index=0, audio_end_ms=50)
    truncated = (await talk.until("conversation.item.truncated"))[-1]
    tell(
        interrupted=[done.status, done.status_details.reason if done.status_details else None],
        interrupted_id=done.id == first.response_id,
        stray_audio=len(stray),
        truncated=truncated.audio_end_ms,
        after=late[-1].response.status,
    )


async def cancelling(talk):
    await talk.say("count to sixty")
    await talk.connection.response.create()
    await talk.until(f"response.{OUT}audio.delta")
    await talk.connection.response.cancel()
    done = (await talk.until("response.done"))[-1].response
    tell(cancelled=[done.status, done.status_details.reason])


async def refused(model, key):
    """What a connection that is not wanted hears: the error and the close code."""
    async with openai.AsyncOpenAI(
        base_url=f"{GIVEN['http']}/v1", websocket_base_url=f"{GIVEN['ws']}/v1", api_key=key
    ) as client:
        realtime: Any = client.beta.realtime if BETA else client.realtime
        async with realtime.connect(model=model) as connection:
            event = connection.parse_event(await connection.recv_bytes())
            try:
                await connection.recv_bytes()
            except Exception as closed:
                close = closed.__cause__ or closed
                received = getattr(close, "rcvd", None)
                return [event.type, event.error.code, received.code if received else repr(close)]
    return None


async def main():
    tell(version=openai.__version__)
    async with openai.AsyncOpenAI(
        base_url=f"{GIVEN['http']}/v1", websocket_base_url=f"{GIVEN['ws']}/v1", api_key=GIVEN["key"]
    ) as client:
        realtime: Any = client.beta.realtime if BETA else client.realtime
        async with realtime.connect(model=MODEL) as connection:
            talk = Talk(connection)
            created = await talk.next()
            updated = await talk.update(["text"], [WEATHER])
            tell(created=created.type, model=created.session.model, instructions=updated.instructions)
            tell(tools=[tool.name for tool in updated.tools])
            for scene in (text_turn, tool_turn, mistakes, aside, speech_turn, interruption, cancelling):
                await scene(talk)
            tell(wrong=talk.judge.wrong, seen=sorted(talk.judge.seen))
    tell(bad_key=await refused(MODEL, "wrong"), bad_model=await refused("nobody/knows", GIVEN["key"]))


asyncio.run(main())
