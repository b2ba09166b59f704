"""livekit-plugins-openai's realtime session, without a room: generations, tools, speech, interruption, history."""

import asyncio
import logging
from pathlib import Path

from livekit import rtc
from livekit.agents import function_tool, llm
from livekit.plugins.openai import realtime
from openai.types.realtime import RealtimeServerEvent
from openai_types import Judge
from report import GIVEN, tell

COMPLAINTS: list[str] = []


class Complaints(logging.Handler):
    """What the library logs as a warning or an error."""

    def emit(self, record):
        COMPLAINTS.append(f"{record.getMessage()} {getattr(record, 'error', '')}"[:600])


@function_tool
async def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


async def read(generation):
    """Words, sound and calls of one generation."""
    words, sound, calls = [], 0, []
    async for message in generation.message_stream:
        words += [str(piece) async for piece in message.text_stream]
        async for frame in message.audio_stream:
            sound += frame.samples_per_channel
    async for call in generation.function_stream:
        calls.append(call)
    return "".join(words), sound, calls


def push(session, name, silence_ms=5000):
    """A spoken sentence, at once."""
    spoken = Path(GIVEN["speech"][name]).read_bytes() if name in GIVEN["speech"] else b""
    sound = spoken + bytes(48 * silence_ms)
    for at in range(0, len(sound), 4800):
        piece = sound[at : at + 4800]
        session.push_audio(rtc.AudioFrame(piece, 24000, 1, len(piece) // 2))


async def reply(session, text):
    """Ask as the framework does: the message into the context, then a reply."""
    context = session.chat_ctx.copy()
    context.add_message(role="user", content=text)
    await session.update_chat_ctx(context)
    return await session.generate_reply()


def history(session):
    """What the session holds to be the conversation."""
    return [[item.role, item.text_content or ""] for item in session.chat_ctx.items if item.type == "message"]


async def converse(session, automatic, heard, started):
    await session.update_instructions("be brief")
    await session.update_tools([get_weather])
    words, sound, _ = await read(await reply(session, "say hello world"))
    tell(words=words, samples=sound)
    _, _, calls = await read(await reply(session, "use get_weather for the city paris"))
    tell(tool=[calls[0].name, calls[0].arguments])
    context = session.chat_ctx.copy()
    context.insert(llm.FunctionCallOutput(call_id=calls[0].call_id, name="get_weather", output="sunny", is_error=False))
    await session.update_chat_ctx(context)
    words, _, _ = await read(await session.generate_reply(instructions="tell what the tool says"))
    tell(told=words)

    push(session, "question")
    words, sound, _ = await read(await asyncio.wait_for(automatic.get(), 30))
    async with asyncio.timeout(30):
        while not heard:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    tell(heard=heard, spoken=words, spoken_samples=sound, history=history(session))

    started.clear()
    generation = await reply(session, "count to sixty")
    first = await anext(aiter(generation.message_stream))
    await anext(aiter(first.audio_stream))
    push(session, "stop", 100)
    await asyncio.wait_for(started.wait(), 30)
    session.truncate(message_id=first.message_id, modalities=["audio", "text"], audio_end_ms=50)
    push(session, "silence")
    words, _, _ = await read(await asyncio.wait_for(automatic.get(), 30))
    tell(after_interruption=words)


async def main():
    logging.getLogger("livekit").addHandler(Complaints(logging.WARNING))
    judge, errors, heard = Judge(RealtimeServerEvent), [], []
    automatic, started = asyncio.Queue(), asyncio.Event()
    place = {"base_url": f"{GIVEN['http']}/v1", "api_key": GIVEN["key"]}
    model = realtime.RealtimeModel(model="gpt-realtime", voice="alloy", **place)
    session = model.session()
    session.on("openai_server_event_received", judge.look)
    session.on("error", lambda event: errors.append(repr(event.error)[:600]))
    session.on("input_speech_started", lambda _: started.set())
    session.on("generation_created", lambda event: None if event.user_initiated else automatic.put_nowait(event))
    session.on("input_audio_transcription_completed", lambda e: heard.append(e.transcript) if e.is_final else None)
    try:
        await converse(session, automatic, heard, started)
    finally:
        tell(errors=errors, complaints=COMPLAINTS, wrong=judge.wrong, seen=sorted(judge.seen))
        await session.aclose()
        await model.aclose()


asyncio.run(main())
