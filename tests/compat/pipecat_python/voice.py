"""pipecat's realtime services in a pipeline: OpenAI's, or (GIVEN["service"] == "inworld") Inworld's."""

import asyncio
import base64
import json
import sys
from pathlib import Path

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from report import GIVEN, tell

INWORLD = GIVEN["service"] == "inworld"
if INWORLD:
    from pipecat.services.inworld.realtime import events
    from pipecat.services.inworld.realtime.llm import InworldRealtimeLLMService
else:
    from pipecat.services.openai.realtime import events
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

# What it says of itself: of its choice of turns, and that this pipeline has no loudspeaker.
OWN = ("mutated turn strategies", "before receiving the BotStoppedSpeakingFrame")
COMPLAINTS: list[str] = []
UNREADABLE: list[str] = []
SERVER: list[dict] = []
logger.remove()
logger.add(lambda line: COMPLAINTS.append(str(line)[:800]), level="WARNING")
logger.add(sys.stderr, level="INFO")


def watched(parse):
    """The library's own parser; what it refuses is noted."""

    def parsing(message):
        SERVER.append(json.loads(message))
        try:
            return parse(message)
        except Exception as error:
            UNREADABLE.append(f"{message[:600]}: {error}")
            raise

    return parsing


events.parse_server_event = watched(events.parse_server_event)


class Watcher(FrameProcessor):
    """Keeps the frames that tell what happened."""

    def __init__(self):
        super().__init__()
        self.frames = []

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        await self.push_frame(frame, direction)

    def of(self, kind):
        return [frame for frame in self.frames if isinstance(frame, kind)]

    async def until(self, done):
        async with asyncio.timeout(40):
            while not done():
                await asyncio.sleep(0.02)


def service():
    """The service as its documentation sets it up; only the address and the key are ours."""
    if INWORLD:
        basic = base64.b64encode(f"compat:{GIVEN['key']}".encode()).decode()
        url = f"{GIVEN['ws']}/api/v1/realtime/session"
        return InworldRealtimeLLMService(api_key=basic, llm_model="inworld/demo", voice="Sarah", base_url=url)
    settings = OpenAIRealtimeLLMService.Settings(
        model="gpt-realtime",
        system_instruction="be brief",
        session_properties=events.SessionProperties(
            audio=events.AudioConfiguration(
                input=events.AudioInput(
                    transcription=events.InputAudioTranscription(),
                    turn_detection=events.SemanticTurnDetection(),
                    noise_reduction=events.InputAudioNoiseReduction(type="near_field"),
                )
            )
        ),
    )
    return OpenAIRealtimeLLMService(api_key=GIVEN["key"], base_url=f"{GIVEN['ws']}/v1/realtime", settings=settings)


def named(kind):
    """The server's events of a kind."""
    return [event for event in SERVER if event["type"] == kind]


def done(count):
    """Whether so many responses have ended."""
    return lambda: len(named("response.done")) >= count


async def speak(worker, name, silence_ms):
    sound = Path(GIVEN["speech"][name]).read_bytes() + bytes(48 * silence_ms)
    for at in range(0, len(sound), 4800):
        await worker.queue_frame(InputAudioRawFrame(sound[at : at + 4800], 24000, 1))
        await asyncio.sleep(0.02)


async def converse(worker, llm, watcher):
    await worker.queue_frame(LLMRunFrame())
    await watcher.until(done(2))
    await watcher.until(lambda: watcher.of(TTSAudioRawFrame))
    results = watcher.of(FunctionCallResultFrame)
    tell(tool=[results[0].function_name, results[0].arguments, results[0].result])
    await asyncio.sleep(0.3)
    tell(told="".join(frame.text for frame in watcher.of(TTSTextFrame)))
    sound = sum(len(frame.audio) for frame in watcher.of(TTSAudioRawFrame))
    tell(sound_bytes=sound)

    await speak(worker, "question", 5000)
    await watcher.until(done(3))
    await watcher.until(lambda: named("conversation.item.input_audio_transcription.completed"))
    heard = named("conversation.item.input_audio_transcription.completed")
    tell(heard=[event["transcript"] for event in heard])
    tell(answered_bytes=sum(len(frame.audio) for frame in watcher.of(TTSAudioRawFrame)) - sound)

    content = [events.ItemContent(type="input_text", text="count to sixty")]
    item = events.ConversationItem(type="message", role="user", content=content)
    before = len(watcher.of(TTSAudioRawFrame))
    await llm.send_client_event(events.ConversationItemCreateEvent(item=item))
    await llm.send_client_event(events.ResponseCreateEvent())
    await watcher.until(lambda: len(watcher.of(TTSAudioRawFrame)) > before)
    interruptions = len(watcher.of(InterruptionFrame))
    await speak(worker, "stop", 100)
    await watcher.until(done(4))
    await watcher.until(lambda: len(watcher.of(InterruptionFrame)) > interruptions)
    await speak(worker, "question", 5000)
    await watcher.until(done(5))
    tell(ends=[event["response"]["status"] for event in named("response.done")])


async def main():
    schema = FunctionSchema("get_weather", "weather of a city", {"city": {"type": "string"}}, ["city"])
    context = LLMContext(
        [{"role": "user", "content": "use get_weather for the city paris"}], ToolsSchema(standard_tools=[schema])
    )
    llm, watcher = service(), Watcher()

    async def get_weather(params):
        await params.result_callback({"weather": "sunny"})

    llm.register_function("get_weather", get_weather)
    turns = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())  # the server finds the turns
    pair = LLMContextAggregatorPair(context, user_params=turns, realtime_service_mode=True)
    params = PipelineParams(audio_in_sample_rate=24000, audio_out_sample_rate=24000)
    worker = PipelineWorker(Pipeline([pair.user(), llm, watcher, pair.assistant()]), params=params)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await converse(worker, llm, watcher)
    finally:
        tell(
            unreadable=UNREADABLE,
            complaints=[line for line in COMPLAINTS if not any(own in line for own in OWN)],
            errors=[frame.error for frame in watcher.of(ErrorFrame)],
            mistakes=[event["error"] for event in named("error")],
            seen=sorted({event["type"] for event in SERVER}),
        )
        await worker.cancel()
        await asyncio.wait([running], timeout=5)


asyncio.run(main())
