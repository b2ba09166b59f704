"""Hearing over `/audio/transcriptions`: the utterance is kept and uploaded as one WAV at its end.

Or at a peek, inside the silence window; what was peeked at and did not grow is not uploaded again.
"""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import orjson

from policies import Outcome
from realtime.audio.wav import wav_bytes
from realtime.protocol import TranscriptionUsage
from realtime.stages.base import HEARING_RATE, Hearing, Transcript, Utterance, WordTime
from router.upstreams.base import Call, UpstreamFault

from .openai_http import HttpModel, accepted

MAX_UTTERANCE_BYTES = 10 * 60 * HEARING_RATE * 2  # ten minutes, below OpenAI's 25 MB
MIN_UTTERANCE_BYTES = HEARING_RATE // 10 * 2  # providers refuse less than 100 ms


def form_body(fields: dict[str, str], wav: bytes) -> tuple[bytes, str]:
    """A multipart form with one WAV file; returns the body and its content type."""
    boundary = token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="utterance.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n".encode()
    )
    return b"".join((*parts, wav, f"\r\n--{boundary}--\r\n".encode())), f"multipart/form-data; boundary={boundary}"


class HttpHearing:
    """One utterance, uploaded whole."""

    def __init__(self, owner: "HttpTranscriber", utterance: Utterance) -> None:
        self._owner = owner
        self._utterance = utterance
        self._parts: list[bytes] = []
        self._size = 0
        self._peeked: tuple[int, Transcript] | None = None

    def feed(self, pcm: bytes) -> None:
        """See the port."""
        if self._size + len(pcm) > MAX_UTTERANCE_BYTES:
            raise UpstreamFault(Outcome.OVERLOADED, "the utterance is longer than ten minutes")
        self._parts.append(pcm)
        self._size += len(pcm)

    async def peek(self) -> Transcript | None:
        """See the port."""
        size = self._size
        if self._peeked is None or self._peeked[0] != size:
            transcript = await self._owner.transcribe(b"".join(self._parts), self._utterance)
            self._peeked = (size, transcript)
        return self._peeked[1]

    async def finish(self) -> Transcript:
        """See the port. Nothing is uploaded twice when nothing came after a peek."""
        transcript = await self.peek()
        assert transcript is not None  # noqa: S101  this provider can always tell
        self.close()
        return transcript

    def close(self) -> None:
        """See the port. A peek or finish under way ends when its task is cancelled."""
        self._parts.clear()


class HttpTranscriber(HttpModel):
    """A transcription model of a server that speaks OpenAI."""

    async def open(self, utterance: Utterance) -> Hearing:
        """See the port. Nothing is sent before the end of the utterance."""
        return HttpHearing(self, utterance)

    async def transcribe(self, pcm: bytes, utterance: Utterance) -> Transcript:
        """Upload 16 kHz samples. Raises UpstreamFault."""
        padded = pcm + bytes(max(0, MIN_UTTERANCE_BYTES - len(pcm)))
        extras = self._settings.passed_on(utterance.extras)
        fields = {
            **{
                name: value if isinstance(value, str) else orjson.dumps(value).decode()
                for name, value in extras.items()
            },
            "model": self._target.model,
            "response_format": "verbose_json" if self._settings.word_times else "json",
        }
        if utterance.language:
            fields["language"] = utterance.language
        prompt = ", ".join(filter(None, (utterance.prompt, *utterance.keyterms)))
        if prompt:
            fields["prompt"] = prompt
        if self._settings.word_times:
            fields["timestamp_granularities[]"] = "word"
        elif utterance.logprobs:  # these servers tell them beside plain JSON only
            fields["include[]"] = "logprobs"
        body, content_type = form_body(fields, wav_bytes(padded, HEARING_RATE))
        call = Call(
            self._target,
            "/audio/transcriptions",
            body,
            None,
            stream=False,
            timeouts=self._timeouts,
            content_type=content_type,
            credential=utterance.credential,
        )
        reply = await accepted(await self._upstream.send(call))
        try:
            answer = orjson.loads(await reply.body(4 * 1024 * 1024))
        except orjson.JSONDecodeError as error:
            raise UpstreamFault(Outcome.MALFORMED_RESPONSE, "the transcription is not JSON") from error
        finally:
            reply.close()
        return _transcript(answer, len(pcm))


def _transcript(answer: Any, pcm_bytes: int) -> Transcript:
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise UpstreamFault(Outcome.MALFORMED_RESPONSE, "the transcription has no text")
    text = answer["text"].strip()
    words: list[WordTime] = []
    at = 0
    entries = answer.get("words")
    for entry in entries if isinstance(entries, list) else ():
        word, start_s, end_s = (
            (entry.get(name) for name in ("word", "start", "end")) if isinstance(entry, dict) else (None,) * 3
        )
        if not isinstance(word, str) or not isinstance(start_s, int | float) or not isinstance(end_s, int | float):
            continue
        first = text.find(word.strip(), at)
        if first >= 0:
            at = first + len(word.strip())
            words.append(WordTime(word.strip(), start_s * 1000, end_s * 1000, first, at))
    language = answer.get("language")
    return Transcript(
        text,
        tuple(words),
        language=language if isinstance(language, str) else None,
        audio_s=pcm_bytes / 2 / HEARING_RATE,
        usage=_tokens(answer.get("usage"), pcm_bytes / 2 / HEARING_RATE),
        logprobs=_logprobs(answer.get("logprobs")),
    )


def _tokens(told: Any, audio_s: float) -> TranscriptionUsage | None:
    """The tokens a server counted; None where it counts seconds, or nothing."""
    details = told.get("input_token_details") if isinstance(told, dict) else None
    if not isinstance(details, dict):
        return None
    counts = [details.get("audio_tokens"), details.get("text_tokens"), told.get("output_tokens")]
    audio, text, written = (max(one, 0) if isinstance(one, int) else 0 for one in counts)
    return TranscriptionUsage(audio_s, input_audio_tokens=audio, input_text_tokens=text, output_tokens=written)


def _logprobs(told: Any) -> tuple[Mapping[str, Any], ...] | None:
    """Token by token, in the shape clients know; what is not in it is left out."""
    if not isinstance(told, list):
        return None
    fit = [one for one in told if isinstance(one, dict) and isinstance(one.get("token"), str)]
    return tuple(
        {"token": one["token"], "logprob": one["logprob"], "bytes": one.get("bytes") or list(one["token"].encode())}
        for one in fit
        if isinstance(one.get("logprob"), int | float)
    )
