"""One reply being spoken: words to chunks of text, chunks to routed speech, speech to paced audio of the output format.

Audio may run ahead of what the client can have played by `lead_ms`, no further. A speaker that fails in mid-sentence is
followed by the next target of the plan, which says the rest: from the first word that was not spoken.
"""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies import Facts, Outcome, RoutingOptions, Try
from router.record import Record
from router.refusal import Refusal
from router.router import Caller
from router.upstreams.base import UpstreamFault
from router.walk import Walk

from . import protocol as p
from .audio.formats import Encoding, Samples, encode
from .audio.resample import Resampler
from .extensions import SpeakingWishes
from .records import attempts_of
from .stages.base import Line, SpokenAudio
from .stages.chunker import FIRST_CLAUSE_CHARS, Chunk, Chunker, merged
from .stages.spoken import Said
from .stages.steered import Steered, last_direction
from .studio import Studio

if TYPE_CHECKING:
    from .reply import Reply

DELTA_MS = 100  # of audio in one event
YIELD_EVERY_MS = 1_000  # of audio: let other sessions have a turn
CLAUSE_CHARS: dict[str, int | None] = {"sentence": None, "fast_start": 4}  # where the first segment may be cut
WHOLE_CHARS = 2_000  # of one segment, when the answer is spoken in one go
TOGETHER_MS = 20  # audio that is due within this time leaves at one moment, whatever its session
VOICE = Caller(protocol="realtime")


class Speaking:
    """Speaks one reply. `words` and `no_more_words` feed it, `run` does the work."""

    def __init__(self, reply: "Reply", studio: Studio, session_id: str) -> None:
        self._reply = reply
        self._studio = studio
        request = reply.request
        self._format = request.output_format
        self._facts = Facts(
            model=request.speech_model or studio.settings.speech.model,
            protocol="realtime",
            user=request.user_id or session_id,
            metadata={"session_id": session_id, **request.facts},
            voice=request.voice_profile or {},
            options=RoutingOptions(models=tuple(studio.settings.speech.fallbacks)),
            kind="speech",
        )
        self._wishes = wishes = SpeakingWishes.of(request.provider)
        self._chunker = Chunker(CLAUSE_CHARS.get(wishes.segmenting, FIRST_CLAUSE_CHARS))
        self._whole: list[Chunk] = []  # of an answer that is spoken in one go
        self._direction = ""  # steering in force from segments before
        self._chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self._attempts: p.Attempts = ()
        self._walk: Walk | None = None  # of the segment being spoken
        self._resampler = Resampler(self._format.rate, self._format.rate)
        self._waiting: list[Samples] = []
        self._waiting_samples = 0
        self._delta_samples = self._format.rate * DELTA_MS // 1000
        self._sent_ms = self._yielded_ms = 0.0
        self._playing_until_ms = 0.0

    def words(self, text: str) -> None:
        """More of the reply's text."""
        self._queue(self._chunker.feed(text))

    def no_more_words(self) -> None:
        """The text is complete."""
        self._queue(self._chunker.flush())
        for chunk in merged(self._whole, WHOLE_CHARS):
            self._chunks.put_nowait(chunk)
        self._chunks.put_nowait(None)

    def _queue(self, chunks: list[Chunk]) -> None:
        if self._wishes.segmenting == "full_turn":
            self._whole += chunks
            return
        for chunk in chunks:
            self._chunks.put_nowait(chunk)

    async def run(self) -> None:
        """Speak to the end; tell SpeakingFinished, or ReplyFailed when nobody can speak."""
        reply, first = self._reply, True
        while (chunk := await self._chunks.get()) is not None:
            if not first:
                await reply.released.wait()
            try:
                first = not await self._speak(chunk) and first
            except Refusal as refusal:
                self._fail(refusal)
                return
        attempts, self._attempts = self._attempts, ()
        reply.tell(p.SpeakingFinished(response_id=reply.response_id, attempts=attempts, at_ms=self._studio.clock_ms()))

    def cut(self) -> p.Attempts:
        """Stop at once; the attempts that nobody was told of."""
        walk, self._walk = self._walk, None
        if walk is not None:
            walk.finish()
            self._attempts += attempts_of(walk.record)
        untold, self._attempts = self._attempts, ()
        return untold

    async def _speak(self, chunk: Chunk) -> bool:
        """One chunk; whether anything was said."""
        reply, clock_ms = self._reply, self._studio.clock_ms
        reply.tell(p.SegmentStarted(response_id=reply.response_id, text=chunk.text, at_ms=clock_ms()))
        said = Said(chunk.spoken().text)
        start_ms = self._sent_ms
        if said.text:
            walk = self._walk = self._studio.router.walk(self._facts, kind="tts", caller=VOICE)
            try:
                await walk.run(lambda step: self._attempt(step, chunk, said, start_ms))
            finally:
                self._attempts += attempts_of(walk.record)
                self._walk = None
            self._avoid(walk.record)
        if self._wishes.repeats_steering:
            self._direction = last_direction(chunk.aloud) or self._direction
        reply.tell(p.SegmentFinished(response_id=reply.response_id, at_ms=clock_ms()))
        return bool(said.text)

    def _avoid(self, record: Record) -> None:
        """Whoever failed in this reply is not asked again in it: the voice changes once, and nobody waits twice."""
        failed = {one.target.name for one in record.attempts if not one.success}
        if failed:
            options = self._facts.options
            ignored = tuple(sorted({*options.ignore, *failed}))
            self._facts = replace(self._facts, options=replace(options, ignore=ignored))

    async def _attempt(self, step: Try, chunk: Chunk, said: Said, start_ms: float) -> None:
        text = said.begin()
        if not text:
            return
        speaker = self._studio.speaker(step)
        steered = Steered(chunk.aloud, self._direction) if speaker.steers else None
        line = self._line(step, text if steered is None else steered.rest(text))
        limit_s, last = step.timeouts.first_token_s, None
        async with aclosing(speaker.speak(line)) as pieces:  # type: ignore[type-var]  # speakers are generators
            while True:
                try:
                    async with asyncio.timeout(limit_s):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    outcome = Outcome.FIRST_TOKEN_TIMEOUT if last is None else Outcome.IDLE_TIMEOUT
                    raise UpstreamFault(outcome, f"{step.target.name} stopped speaking") from None
                if piece is None:
                    break
                if steered is not None:
                    piece = steered.led_back(piece)
                limit_s, last = step.timeouts.idle_s, piece
                await self._give(said.take(piece), start_ms)
        await self._give(said.end(last), start_ms)
        await self._flush()
        if last is None:
            raise UpstreamFault(Outcome.EMPTY_RESPONSE, f"{step.target.name} made no sound")

    def _line(self, step: Try, text: str) -> Line:
        request, wishes = self._reply.request, self._wishes
        return Line(
            text,
            voice=self._studio.voice(request.voice, step.target),
            speed=request.speed if wishes.speed is None or request.speed != 1.0 else wishes.speed,
            language=request.speech_language or wishes.language,
            extras=wishes.extras,
        )

    def _tell_words(self, piece: SpokenAudio, start_ms: float) -> None:
        if piece.estimated:
            return
        reply, at_ms = self._reply, self._studio.clock_ms()
        for word in piece.words:
            begin_ms, end_ms = start_ms + word.start_ms, start_ms + word.end_ms
            reply.tell(
                p.WordSpoken(
                    response_id=reply.response_id, text=word.text, start_ms=begin_ms, end_ms=end_ms, at_ms=at_ms
                )
            )

    async def _give(self, piece: SpokenAudio | None, start_ms: float) -> None:
        if piece is None:
            return
        self._tell_words(piece, start_ms)
        if self._resampler.source != piece.sample_rate:
            self._keep(self._resampler.flush())
            self._resampler = Resampler(piece.sample_rate, self._format.rate)
        self._keep(self._resampler.feed(np.frombuffer(piece.pcm, dtype="<i2")))
        while self._waiting_samples >= self._delta_samples:
            await self._send(self._take(self._delta_samples))

    async def _flush(self) -> None:
        self._keep(self._resampler.flush())
        if self._waiting_samples:
            await self._send(self._take(self._waiting_samples))

    def _keep(self, samples: Samples) -> None:
        if len(samples):
            self._waiting.append(samples)
            self._waiting_samples += len(samples)

    def _take(self, count: int) -> Samples:
        line = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        rest = line[count:]
        self._waiting = [rest] if len(rest) else []
        self._waiting_samples = len(rest)
        return line[:count]

    async def _send(self, samples: Samples) -> None:
        """Pace, then hand out one delta."""
        reply, studio = self._reply, self._studio
        await self._pace()
        audio = encode(samples, Encoding(self._format.kind))
        duration_ms = len(samples) * 1000 / self._format.rate
        now_ms = studio.clock_ms()
        self._playing_until_ms = max(self._playing_until_ms, now_ms) + duration_ms
        self._sent_ms += duration_ms
        reply.tell(p.AudioChunk(response_id=reply.response_id, audio=audio, at_ms=now_ms))

    async def _pace(self) -> None:
        reply, studio = self._reply, self._studio
        if reply.outbox is not None:
            await reply.outbox.room()
        now_ms = studio.clock_ms()
        due_ms = self._playing_until_ms - studio.lead_ms
        if due_ms > now_ms:
            await asyncio.sleep((-(-due_ms // TOGETHER_MS) * TOGETHER_MS - now_ms) / 1000)
        elif self._sent_ms - self._yielded_ms >= YIELD_EVERY_MS:
            self._yielded_ms = self._sent_ms
            await asyncio.sleep(0)

    def _fail(self, refusal: Refusal) -> None:
        reply, (attempts, self._attempts) = self._reply, (self._attempts, ())
        reply.tell(
            p.ReplyFailed(
                response_id=reply.response_id,
                code=refusal.code or "speech_failed",
                message=refusal.message,
                kind=refusal.kind,
                attempts=attempts,
                at_ms=self._studio.clock_ms(),
            )
        )
