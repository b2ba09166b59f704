"""The provider `local` for the HTTP proxy: `/audio/speech` and `/audio/transcriptions` answered on this machine.

Speech comes as `wav` (also when no format is asked for) or `pcm`, both 24 kHz s16 mono: there is no MP3 or Opus encoder
here, and asking for one is a 400 that says so. Transcription takes WAV uploads of up to two minutes.
"""

import base64
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import orjson

from policies import Outcome, Target
from realtime.audio.resample import resample
from realtime.audio.wav import MalformedWav, read_wav, wav_bytes
from realtime.stages.base import HEARING_RATE, Line, Speaker, Transcriber, Transcript, Utterance
from realtime.stages.chunker import chunks_of
from router.upstreams.base import Call, Reply, UpstreamFault, read_whole

from .local_tts import installed_voices
from .multipart import MalformedForm, form_parts
from .subtitles import srt, vtt

SPEECH_RATE = 24_000
MOST_CHARS = 4_096
MOST_AUDIO_S = 120
QUIET = bytes(HEARING_RATE // 4 * 2)  # before and after: the recogniser wants to hear silence first
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}
TRANSCRIPT_FORMATS = ("json", "text", "verbose_json", "srt", "vtt")

Step = Callable[[], Awaitable[bytes]]


class LocalReply:
    """A reply made step by step: each step is a piece of the body, made when it is asked for."""

    def __init__(self, status: int, headers: Mapping[str, str], steps: list[Step]) -> None:
        self._status = status
        self._headers = headers
        self._steps = steps
        self.idle_s = math.inf  # made here: it is never waited for

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers with lower-case names."""
        return self._headers

    async def read(self) -> bytes:
        """See the port."""
        while self._steps:
            made = await self._steps.pop(0)()
            if made:
                return made
        return b""

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """See the port."""
        return await read_whole(self, limit_bytes)

    def close(self) -> None:
        """See the port."""
        self._steps.clear()


def _whole(status: int, headers: Mapping[str, str], body: bytes) -> LocalReply:
    async def step() -> bytes:
        return body

    return LocalReply(status, headers, [step])


def _refused(message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> LocalReply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return _whole(status, JSON, orjson.dumps({"error": error}))


class LocalSpeechUpstream:
    """An `Upstream` over the ears and voices of this machine. They belong to whoever hands them in."""

    def __init__(
        self, transcriber_of: Callable[[Target], Transcriber], speaker_of: Callable[[Target], Speaker]
    ) -> None:
        self._transcriber_of = transcriber_of
        self._speaker_of = speaker_of

    async def send(self, call: Call) -> Reply:
        """See the port. What is asked wrongly is a 400, what is missing here a 404."""
        try:
            if call.path == "/audio/speech":
                return await self._speech(call)
            if call.path == "/audio/transcriptions":
                return await self._transcription(call)
        except UpstreamFault as fault:
            if fault.outcome is Outcome.MODEL_NOT_FOUND:
                return _refused(fault.message, "model", status=404, code="model_not_found")
            raise
        message = f"The provider 'local' does not offer {call.path}; it offers speech and transcriptions."
        return _refused(message, status=404, code="unknown_url")

    async def aclose(self) -> None:
        """See the port."""

    async def _speech(self, call: Call) -> LocalReply:
        wish: Mapping[str, Any] = call.document if call.document is not None else orjson.loads(call.body)
        text, form, speed = wish.get("input"), wish.get("response_format") or "wav", wish.get("speed", 1.0)
        if not isinstance(text, str) or not text.strip():
            return _refused("'input' must be the text to speak.", "input")
        if len(text) > MOST_CHARS:
            return _refused(f"'input' has {len(text)} characters; at most {MOST_CHARS} are spoken.", "input")
        if form not in ("wav", "pcm"):
            return _refused(
                f"The provider 'local' speaks 'wav' and 'pcm'; {form!r} is not available. "
                "Ask for response_format 'wav' or 'pcm'.",
                "response_format",
            )
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
            return _refused("'speed' must be a number from 0.25 to 4.", "speed")
        speaker = self._speaker_of(call.target)
        lines = [
            Line(spoken, voice=_voice_of(wish.get("voice")), speed=float(speed))
            for chunk in chunks_of(text)
            if (spoken := chunk.spoken().text)
        ]
        steps = [_speaking(speaker, line) for line in lines]
        if wish.get("stream_format") == "sse":
            return LocalReply(200, SSE, [*map(_as_event, steps), _speech_done(len(text))])
        if form == "pcm":
            if not steps:
                return LocalReply(200, {"content-type": f"audio/pcm;rate={SPEECH_RATE}"}, [])
            # The first line is spoken before the status is given, so that a voice that fails can be followed.
            first = await steps[0]()
            return LocalReply(200, {"content-type": f"audio/pcm;rate={SPEECH_RATE}"}, [_made(first), *steps[1:]])
        pcm = b"".join([await step() for step in steps])
        return _whole(200, {"content-type": "audio/wav"}, wav_bytes(pcm, SPEECH_RATE))

    async def _transcription(self, call: Call) -> LocalReply:
        try:
            parts = form_parts(call.content_type, call.body)
        except MalformedForm as error:
            return _refused(f"The multipart form cannot be read: {error}.", code="invalid_form")
        fields = {part.name: part.text for part in parts if not part.file}
        file = next((part.content for part in parts if part.name == "file"), None)
        form = fields.get("response_format", "json")
        if file is None:
            return _refused("The form has no 'file'.", "file")
        if form not in TRANSCRIPT_FORMATS:
            return _refused(f"'response_format' must be one of {', '.join(TRANSCRIPT_FORMATS)}.", "response_format")
        try:
            samples, rate = read_wav(file)
        except MalformedWav as error:
            return _refused(f"The provider 'local' hears WAV files: {error}.", "file", code="invalid_audio")
        if len(samples) > MOST_AUDIO_S * rate:
            return _refused(f"The file is longer than {MOST_AUDIO_S} s.", "file", code="audio_too_long")
        pcm = resample(samples, rate, HEARING_RATE).tobytes()
        hearing = await self._transcriber_of(call.target).open(Utterance(prompt=fields.get("prompt")))
        try:
            hearing.feed(QUIET + pcm + QUIET)
            transcript = await hearing.finish()
        finally:
            hearing.close()
        if fields.get("stream") in ("true", "True", "1"):
            return _whole(200, SSE, _transcript_events(transcript))
        return _formatted(transcript, form, len(samples) / rate)


def _voice_of(wish: Any) -> str | None:
    name = wish.get("id") if isinstance(wish, dict) else wish
    return name if isinstance(name, str) and name.removeprefix("local/") in installed_voices() else None


def _speaking(speaker: Speaker, line: Line) -> Step:
    async def step() -> bytes:
        pieces = [
            resample(np.frombuffer(piece.pcm, dtype="<i2"), piece.sample_rate, SPEECH_RATE).tobytes()
            async for piece in speaker.speak(line)
        ]
        return b"".join(pieces)

    return step


def _made(content: bytes) -> Step:
    async def step() -> bytes:
        return content

    return step


def _as_event(step: Step) -> Step:
    async def event() -> bytes:
        audio = base64.b64encode(await step()).decode("ascii")
        return _event({"type": "speech.audio.delta", "audio": audio}) if audio else b""

    return event


def _speech_done(chars: int) -> Step:
    return _made(
        _event(
            {
                "type": "speech.audio.done",
                "usage": {"input_tokens": chars, "output_tokens": 0, "total_tokens": chars},
            }
        )
    )


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _transcript_events(transcript: Transcript) -> bytes:
    words = transcript.text.split(" ")
    deltas = [word if n == 0 else " " + word for n, word in enumerate(words)] if transcript.text else []
    events = [_event({"type": "transcript.text.delta", "delta": delta}) for delta in deltas]
    return b"".join((*events, _event({"type": "transcript.text.done", "text": transcript.text})))


def _formatted(transcript: Transcript, form: str, duration_s: float) -> LocalReply:
    lead_ms = len(QUIET) / 2 / HEARING_RATE * 1000
    words = [word.moved(-lead_ms, 0) for word in transcript.words]
    if form == "text":
        return _whole(200, {"content-type": "text/plain; charset=utf-8"}, transcript.text.encode() + b"\n")
    if form in ("srt", "vtt"):
        made = (srt if form == "srt" else vtt)(transcript.text, words, duration_s)
        return _whole(200, {"content-type": "text/plain; charset=utf-8"}, made.encode())
    answer: dict[str, Any] = {"text": transcript.text, "usage": {"type": "duration", "seconds": round(duration_s)}}
    if form == "verbose_json":
        answer |= {
            "task": "transcribe",
            "language": "english",
            "duration": round(duration_s, 3),
            "words": [
                {"word": word.text, "start": max(0.0, word.start_ms) / 1000, "end": max(0.0, word.end_ms) / 1000}
                for word in words
            ],
        }
    return _whole(200, JSON, orjson.dumps(answer))
