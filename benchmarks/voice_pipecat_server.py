# mypy: disable-error-code="misc, untyped-decorator, no-untyped-call"
"""The peer of the voice benchmark: pipecat-ai as its examples build it, with fakes at 0 ms, in its own environment.

The wire is that of the caller (a small serializer), so the same caller measures both: audio in is 24 kHz and goes
through pipecat's stream resampler to the 16 kHz of its VAD, audio out leaves as the transport paces it.
`speech_stopped` is written as soon as pipecat's VAD has decided; `response.done` is its own interruption, seen by the
output transport.
Imports nothing of this project. Usage: voice_pipecat_server.py REPLY_TEXT
"""

import base64
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.utils import create_stream_resampler
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

WIRE_RATE = 24_000
VAD_RATE = 16_000
WORD_S = 0.1
STOPPED = {"type": "input_audio_buffer.speech_stopped"}


class Wire(FrameSerializer):
    """The few events that the caller sends and reads."""

    def __init__(self) -> None:
        super().__init__()
        self._resampler = create_stream_resampler()
        self._count = 0
        self._speaks = False

    async def deserialize(self, data: str | bytes) -> Frame | None:
        """An append event as audio at the rate of the VAD."""
        audio = base64.b64decode(json.loads(data)["audio"])
        audio = await self._resampler.resample(audio, WIRE_RATE, VAD_RATE)
        return InputAudioRawFrame(audio=audio, sample_rate=VAD_RATE, num_channels=1) if audio else None

    async def serialize(self, frame: Frame) -> str | None:
        """Audio, the end of the caller's speech and a cancelled reply."""
        name = f"resp_{self._count:020d}"
        if isinstance(frame, OutputAudioRawFrame):
            self._speaks = True
            return event(
                {
                    "type": "response.output_audio.delta",
                    "response_id": name,
                    "delta": base64.b64encode(frame.audio).decode(),
                }
            )
        if isinstance(frame, OutputTransportMessageUrgentFrame):
            self._count += 1  # what is said from here on answers this turn
            return event(frame.message)
        if isinstance(frame, InterruptionFrame) and self._speaks:
            self._speaks = False
            return event({"type": "response.done", "response": {"id": name, "status": "cancelled"}})
        return None


def event(document: dict[str, Any]) -> str:
    """As compact as the caller expects it."""
    return json.dumps(document, separators=(",", ":"))


class Ears(STTService):
    """Final words as soon as the VAD says that speech is over."""

    async def run_stt(self, audio: bytes) -> AsyncIterator[Frame | None]:  # noqa: ARG002  # the port's
        """Streamed audio; nothing yet."""
        yield None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """See the base class."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            await self.push_frame(TranscriptionFrame("what is the weather like", "", "", finalized=True))


class Mind(LLMService):
    """All words at once, a frame each."""

    def __init__(self, reply: str) -> None:
        unset = {field.name: None for field in fields(LLMSettings) if field.name not in {"model", "extra"}}
        super().__init__(settings=LLMSettings(model="fake", **unset))
        self._words = [word if n == 0 else f" {word}" for n, word in enumerate(reply.split())]

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """See the base class."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        for word in self._words:
            await self._push_llm_text(word)
        await self.push_frame(LLMFullResponseEndFrame())


class Voice(TTSService):
    """A tone of 100 ms a word."""

    def __init__(self) -> None:
        settings = TTSSettings(model="fake", voice="fake", language=None)
        super().__init__(sample_rate=WIRE_RATE, push_start_frame=True, push_stop_frames=True, settings=settings)
        angle = 2 * np.pi * 300 * np.arange(int(WIRE_RATE * WORD_S)) / WIRE_RATE
        self._word = (4000 * np.sin(angle)).astype("<i2").tobytes()

    async def run_tts(self, text: str, context_id: str) -> AsyncIterator[Frame | None]:
        """See the base class."""
        for _ in text.split():
            yield TTSAudioRawFrame(self._word, WIRE_RATE, 1, context_id=context_id)


class Herald(FrameProcessor):
    """Tells the caller that the VAD has heard the end: straight to the socket, past all queues."""

    def __init__(self, transport: FastAPIWebsocketTransport) -> None:
        super().__init__()
        self._transport = transport

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """See the base class."""
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            await self._transport.output().send_message(OutputTransportMessageUrgentFrame(message=STOPPED))
        await self.push_frame(frame, direction)


def pipeline(transport: FastAPIWebsocketTransport, reply: str) -> Pipeline:
    """The stock cascade: VAD in the user's aggregator, turns by silence, interruptions allowed."""
    turns = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
    )
    vad = SileroVADAnalyzer(params=VADParams(confidence=0.5, start_secs=0.1, stop_secs=0.5, min_volume=0.0))
    pair = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(user_turn_strategies=turns, vad_analyzer=vad)
    )
    ears = Ears(ttfs_p99_latency=0.0, settings=STTSettings(model="fake", language=None))
    rooms = [transport.input(), ears, pair.user(), Herald(transport), Mind(reply), Voice(), transport.output()]
    return Pipeline([*rooms, pair.assistant()])


def application(reply: str, port: int) -> FastAPI:
    """One pipeline a connection, all in this process."""

    @asynccontextmanager
    async def ready(_: FastAPI) -> AsyncIterator[None]:
        print(f"ready at http://127.0.0.1:{port}", flush=True)
        yield

    app = FastAPI(lifespan=ready)

    @app.websocket("/v1/realtime")
    async def call(websocket: WebSocket) -> None:
        await websocket.accept()
        transport = FastAPIWebsocketTransport(
            websocket, FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=Wire())
        )
        worker = PipelineWorker(
            pipeline(transport, reply),
            params=PipelineParams(audio_in_sample_rate=VAD_RATE, audio_out_sample_rate=WIRE_RATE),
            enable_rtvi=False,
        )

        @transport.event_handler("on_client_disconnected")
        async def gone(*_: Any) -> None:
            await worker.cancel()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    return app


def main() -> None:
    """Serve on a free port of loopback until ended."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    app = application(sys.argv[1], listening.getsockname()[1])
    config = uvicorn.Config(
        app, loop="uvloop", ws="websockets-sansio", ws_per_message_deflate=False, log_level="error", access_log=False
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
