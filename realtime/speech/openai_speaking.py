"""Speaking over `/audio/speech`: one request for each line, its samples passed on as they arrive.

Closing the iterator cancels by closing the connection.
"""

import re
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import orjson

from policies import Outcome
from realtime.audio.wav import HEADER_BYTES
from realtime.stages.base import Line, SpokenAudio
from realtime.stages.trim import AUDIBLE, HEAD_MS
from router.upstreams.base import Call, Reply, UpstreamFault

from .openai_http import HttpModel, accepted

RATE = re.compile(r";\s*rate=(\d{4,6})\b")  # of `audio/pcm;rate=16000`
MAX_LEAD_MS = 400  # of silence that is cut before the first sound of a line


class HttpSpeaker(HttpModel):
    """A speech model of a server that speaks OpenAI."""

    @property
    def steers(self) -> bool:
        """See the port: where the server's section of the file says so."""
        return any(fnmatchcase(self._target.model, pattern) for pattern in self._settings.steering)

    async def speak(self, line: Line) -> AsyncIterator[SpokenAudio]:
        """See the port. These servers tell no word times."""
        wish: dict[str, Any] = {
            **self._settings.passed_on(line.extras),
            "model": self._target.model,
            "input": line.text,
            "voice": line.voice or self._settings.voice,
            "response_format": "pcm",
        }
        if line.speed != 1.0:
            wish["speed"] = line.speed
        if line.instructions:
            wish["instructions"] = line.instructions
        if line.language and "language" in self._settings.extras:
            wish["language"] = line.language
        call = Call(
            self._target,
            "/audio/speech",
            orjson.dumps(wish),
            wish,
            stream=True,
            timeouts=self._timeouts,
            credential=line.credential,
        )
        reply = await accepted(await self._upstream.send(call))
        try:
            async for piece in _pieces(reply, self._settings.speech_rate):
                yield piece
        finally:
            reply.close()


async def _pieces(reply: Reply, rate: int) -> AsyncIterator[SpokenAudio]:
    """s16le samples as they arrive: a WAV header is read and dropped, silence before the first sound is cut."""
    content_type = reply.headers.get("content-type", "")
    if content_type.startswith(("application/json", "text/")):
        raise UpstreamFault(Outcome.MALFORMED_RESPONSE, f"speech came as {content_type.split(';')[0]}, not as audio")
    told = RATE.search(content_type)
    if told is not None:
        rate = int(told[1])
    rest, begun, sounded, lead = b"", False, False, 0
    while chunk := await reply.read():
        whole = rest + chunk
        if not begun:
            if len(whole) < HEADER_BYTES:
                rest = whole
                continue
            begun = True
            if whole[:4] == b"RIFF":
                rate = int.from_bytes(whole[24:28], "little")
                data = whole.find(b"data")
                whole = whole[data + 8 if data >= 0 else HEADER_BYTES :]
        odd = len(whole) % 2
        rest, body = whole[len(whole) - odd :], whole[: len(whole) - odd]
        if not sounded and lead < MAX_LEAD_MS * rate // 1000:
            samples = np.frombuffer(body, dtype="<i2")
            loud = np.flatnonzero((samples > AUDIBLE) | (samples < -AUDIBLE))
            if len(loud) == 0:
                lead += len(samples)
                continue
            body = body[2 * max(0, int(loud[0]) - HEAD_MS * rate // 1000) :]
        sounded = True
        if body:
            yield SpokenAudio(body, rate)
    if not begun and rest:
        yield SpokenAudio(rest[: len(rest) - len(rest) % 2], rate)
    elif not begun:
        raise UpstreamFault(Outcome.EMPTY_RESPONSE, "the speech has no samples")
