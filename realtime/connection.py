"""One voice session on one WebSocket: read, feed the machine, send; the shell around the pure machine, and dull.

The machine is touched by one loop only: an event that arises while another is being taken waits its turn in a deque.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import get_args

from router.ws_protocol import LARGE_TEXT
from router.ws_short_way import ShortWay

from . import protocol as p
from .account import Account
from .codec import Codec, usual_audio
from .codec import Refusal as Misread
from .codec.large import audio_pieces, parted
from .ear import Ear
from .lifetime import BINARY, DEFECT, INTERNAL_ERROR, Receive, Send, life, too_fast
from .opening import Opening
from .outbox import Outbox
from .pipeline import Pipeline
from .studio import Studio

EFFECTS = frozenset(get_args(p.Effect))
BACKLOG_FRAMES = 64
VERDICT_S = 0.005  # between two looks whether a verdict has come
IDS_AT_ONCE = 32
COUNTED_AT_ONCE = 16  # pieces of audio
HEARD_AT_ONCE_BYTES = 96 * 1024


def fresh_ids(session_id: str) -> Callable[[str], str]:
    """Ids as OpenAI writes them: kind, underscore, random text (drawn for many at once). The session's own is given."""
    drawn: list[str] = []

    def fresh(kind: str) -> str:
        if kind == "sess":
            return session_id
        if not drawn:
            digits = secrets.token_hex(10 * IDS_AT_ONCE)
            drawn.extend(digits[at : at + 20] for at in range(0, len(digits), 20))
        return f"{kind}_{drawn.pop()}"

    return fresh


class Session:
    """One connection from open to close."""

    def __init__(self, studio: Studio, opening: Opening) -> None:
        self.id = opening.session_id
        self._studio = studio
        self._opening = opening
        ids = fresh_ids(self.id)
        self._codec = Codec(opening.dialect, event_ids=lambda: ids("event"))
        self._machine = p.SessionMachine(opening.settings, ids=ids, rules=opening.rules)
        self._outbox = Outbox()
        self._inbox: deque[p.Event] = deque()
        self._uncounted: list[bytes] = []  # audio that the ear has and the machine has not been told of
        self._taking = False
        self._pipeline: Pipeline | None = None
        self._holds = False  # the reader lets its client wait
        self._defect: Exception | None = None  # found outside of the session's tasks

    def post(self, event: p.Event) -> None:
        """Hand an event to the machine and do what it says, in order."""
        if self._uncounted:
            self._count()
        self._inbox.append(event)
        if not self._taking:
            self._take()

    def _count(self) -> None:
        """Tell the machine of the audio that came before whatever happens now."""
        audio, self._uncounted = b"".join(self._uncounted), []
        self._inbox.append(p.AppendAudio(audio=audio, at_ms=self._studio.clock_ms()))

    def _take(self) -> None:
        self._taking = broken = True
        self._outbox.gather()
        try:
            while self._inbox:
                for output in self._machine.receive(self._inbox.popleft()):
                    self._put_out(output)
            broken = False
        finally:
            self._taking = False
            self._outbox.push()
            if broken:  # the detector and timers call from outside of any task: end the session all the same
                self._outbox.close(INTERNAL_ERROR, DEFECT)

    def _put_out(self, output: p.Output) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            raise p.BrokenInvariantError("an event before the session was opened")
        if type(output) in EFFECTS:
            pipeline.perform(output)  # type: ignore[arg-type]  # the set holds exactly the effects
            return
        if type(output) is p.ItemRetrieved:
            item = pipeline.recordings.with_sound(output.item, self._machine.settings.input_format)
            output = p.ItemRetrieved(item)
        elif type(output) is p.ItemDeleted:
            pipeline.recordings.drop(output.item_id)
        elif type(output) is p.ResponseStarted:
            pipeline.stamps.announced(output.response)
        elif type(output) is p.ResponseDone:
            output = pipeline.complete(output)
            pipeline.stamps.over(output.response)
        frame = self._codec.encode(output)  # type: ignore[arg-type]  # and everything else is for the client
        if frame is None:
            return
        if type(output) is p.AudioSpoken:
            response_id = output.place.response_id
            if self._machine.holds(output.place.item_id):
                pipeline.keep_sound(output)
            sent = pipeline.stamps.unwritten(response_id)
            self._outbox.put(frame, audio_of=response_id, on_sent=sent)
        else:
            self._outbox.put(frame)

    async def run(self, receive: Receive, send: Send, way: ShortWay | None = None) -> None:
        """Serve the connection until either side ends it. `way`: past the server's queues, where it has one."""
        studio, opening = self._studio, self._opening
        account = Account(self.id, opening.principal, opening.limiter)
        try:
            async with life(self.id, send) as group:
                self._pipeline = Pipeline(
                    studio, group, self._outbox, account, post=self.post, foresee=self._machine.foresee
                )
                self._pipeline.perform(p.ApplySettings(opening.settings))
                reader = group.create_task(self._read(receive))
                self.post(p.Opened(at_ms=studio.clock_ms(), epoch_s=int(studio.wall())))
                if way is not None:
                    run = copy_context().run
                    way.offer_to(partial(run, self._take_audio), studio.tide)  # type: ignore[call-arg]  # it has them
                    self._pipeline.ear.hurry = way.hurry
                try:
                    await self._outbox.run(send, way.write if way is not None else None)
                finally:
                    if way is not None:
                        way.offer_to(None)
                    reader.cancel()
                    self._pipeline.close()
        finally:
            self._pipeline = None  # it holds `post`: without this, a session would wait for the garbage collector

    async def _read(self, receive: Receive) -> None:
        clock_ms, decode, meter = self._studio.clock_ms, self._codec.decode, self._opening.meter
        while True:
            message = await receive()
            if self._defect is not None:
                raise self._defect
            if message["type"] == "websocket.disconnect":
                self.post(p.Disconnected(at_ms=clock_ms()))
                self._outbox.close(1000, "")
                return
            large = message.get(LARGE_TEXT)
            frame = message.get("text", large)
            if frame is None:
                self.post(p.Malformed(fault=BINARY, at_ms=clock_ms()))
                continue
            wait_s = meter.take()
            if wait_s > 0:
                self.post(p.Malformed(fault=too_fast(wait_s), at_ms=clock_ms()))
                await self._hold(wait_s)
            event = await self._decode_large(large) if large is not None else decode(frame, at_ms=clock_ms())
            self.post(event)
            if type(event) is p.AppendAudio and self._pipeline is not None:
                await self._hear(event.audio, self._pipeline.ear)

    async def _decode_large(self, frame: bytearray) -> p.ClientEvent:
        """Decode piece by piece, others in between."""
        decode, at_ms = self._codec.decode, self._studio.clock_ms()
        parts = parted(frame)
        event = decode(parts[0], at_ms=at_ms) if parts is not None else None
        if parts is None or type(event) is not p.AppendAudio or event.audio:
            return decode(frame, at_ms=at_ms)
        audio = bytearray()
        try:
            for piece in audio_pieces(frame, *parts[1:]):
                audio += piece
                await self._hold(0)
        except Misread as misread:
            return p.Malformed(fault=misread.fault, event_id=event.event_id, at_ms=at_ms)
        return replace(event, audio=audio)

    async def _hear(self, audio: bytes | bytearray, ear: Ear) -> None:
        """Hand audio to the ear. A whole file at once: read on when it is heard, and let others have their turn.

        Each turn of the loop hears one frame.
        """
        for at in range(0, len(audio), HEARD_AT_ONCE_BYTES):
            if at:
                await self._hold(0)
            ear.hear(bytes(audio[at : at + HEARD_AT_ONCE_BYTES]))
            while ear.waiting_frames > BACKLOG_FRAMES:
                await self._hold(VERDICT_S if ear.waits else 0)

    def _take_audio(self, frame: bytes) -> bool:
        """Audio, at the moment it is read: the usual append event, when nothing keeps it waiting; else False."""
        pipeline, meter = self._pipeline, self._opening.meter
        if self._holds or pipeline is None or meter.spent or pipeline.ear.waiting_frames > BACKLOG_FRAMES:
            return False
        audio = usual_audio(frame)
        if audio is None:
            return False
        try:
            meter.take()
            ear = pipeline.ear
            self._uncounted.append(audio)
            if len(self._uncounted) >= COUNTED_AT_ONCE or not ear.detects:  # without a detector nothing comes between
                self._count()
                self._take()
            ear.hear(audio)
        except Exception as defect:  # noqa: BLE001  nobody is above: the reader raises it, and the session ends
            self._defect = defect
            return False
        return True

    async def _hold(self, wait_s: float) -> None:
        """Let the client wait: what comes meanwhile queues up behind."""
        self._holds = True
        await asyncio.sleep(wait_s)
        self._holds = False

    def drain(self) -> None:
        """The server wants to end."""
        self.post(p.Draining(at_ms=self._studio.clock_ms()))
