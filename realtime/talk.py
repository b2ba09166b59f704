"""`talk`: one spoken question to a running router; transcript, decision, attempts, where time went, reply as WAV."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

from router.cli.chat import show_record
from router.cli.show import console, fail, pairs, refusal

from .audio.wav import wav_bytes
from .talk_sources import CHUNK_S, RATE, NoSourceError, from_file, in_real_time, microphone, spoken
from .talk_waterfall import waterfall

PATIENCE_S = 60.0
HEARD = "conversation.item.input_audio_transcription.completed"


@dataclass(frozen=True, slots=True)
class Talk:
    """Whom to call and what to say: a WAV file, else a sentence, else the microphone."""

    url: str
    model: str
    wav: Path | None = None
    say: str | None = None
    voice: str = "auto"
    out: Path | None = None
    key: str = ""
    user: str | None = None
    metadata: tuple[str, ...] = ()


@dataclass(slots=True)
class Turn:
    """What came of it. Stamps are monotonic seconds."""

    heard: str = ""
    said: str = ""
    audio: bytearray = field(default_factory=bytearray)
    response: Mapping[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    stamps: dict[str, float] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> bool:
        """One server event; True when the turn is over."""
        now_s, kind = time.monotonic(), event["type"]
        if kind == "input_audio_buffer.speech_stopped":
            self.stamps["turn over"] = now_s
            self.stamps.setdefault("end of speech", now_s)  # of a microphone's turn nobody else can tell
        elif kind == HEARD:
            self.heard = event["transcript"]
            self.stamps["words heard"] = now_s
        elif kind == "response.output_audio_transcript.delta":
            self.said += event["delta"]
            self.stamps.setdefault("first word", now_s)
        elif kind == "response.output_audio.delta":
            self.audio += base64.b64decode(event["delta"])
            self.stamps.setdefault("first audio", now_s)
        elif kind == "error":
            self.errors.append(str(event["error"]["message"]))
        elif kind == "response.done":
            self.response = event["response"]
            self.stamps["all audio sent"] = now_s
            return True
        return False


def run(talk: Talk) -> int:
    """Say it, show what happens; the exit code."""
    if talk.out is not None and not talk.out.parent.is_dir():
        return fail(f"--out: there is no folder {str(talk.out.parent)!r}")
    try:
        metadata = {name: str(value) for name, value in pairs(talk.metadata).items()}
        return asyncio.run(_run(talk, metadata))
    except (NoSourceError, ValueError) as error:
        return fail(str(error))
    except websockets.InvalidStatus as refused:
        answer = refused.response
        return fail(f"{talk.url}: {refusal(answer.status_code, answer.body.decode(errors='replace'))}")
    except (OSError, websockets.InvalidHandshake, websockets.InvalidURI) as error:
        return fail(f"nothing answers at {talk.url} ({error}); start it with: realtime-router serve")
    except KeyboardInterrupt:
        return 130


async def _run(talk: Talk, metadata: Mapping[str, str]) -> int:
    pcm = from_file(talk.wav) if talk.wav is not None else None
    if pcm is None and talk.say is not None:
        pcm = await spoken(talk.say, talk.voice)
    out, turn = console(), Turn()
    address = f"{talk.url.rstrip('/').replace('http', 'ws', 1)}/v1/realtime?model={quote(talk.model, safe='/')}"
    headers = {"authorization": f"Bearer {talk.key}"} if talk.key else {}
    async with websockets.connect(address, additional_headers=headers, max_size=None, compression=None) as socket:
        with suppress(websockets.ConnectionClosed):  # a refusal: its reason is read below
            await socket.send(json.dumps({"type": "session.update", "session": _wishes(talk, metadata)}))
        out.print(f"[dim]{talk.model} at {talk.url}[/]" + ("" if pcm else "[dim]; speak now[/]"))
        source = in_real_time(pcm) if pcm is not None else microphone()
        await _converse(socket, turn, source, len(pcm) if pcm is not None else None)
    if not turn.response:
        return fail("; ".join(turn.errors) or "the router closed the session without an answer")
    _show(turn, out)
    await _explain(talk, metadata, turn)
    if talk.out is not None and turn.audio:
        talk.out.write_bytes(wav_bytes(bytes(turn.audio), RATE))
        out.print(f"[dim]the reply is in {talk.out} ({len(turn.audio) / 2 / RATE:.1f} s)[/]")
    return 0 if turn.response.get("status") == "completed" else 1


def _wishes(talk: Talk, metadata: Mapping[str, str]) -> dict[str, Any]:
    session: dict[str, Any] = {
        "type": "realtime",
        "audio": {"input": {"transcription": {"model": "whisper-1"}}},
    }
    extras: dict[str, Any] = {"metadata": dict(metadata)} if metadata else {}
    if talk.user is not None:
        extras["user_id"] = talk.user
    return {**session, "providerData": extras} if extras else session


async def _converse(socket: ClientConnection, turn: Turn, source: AsyncIterator[bytes], size: int | None) -> None:
    async def feed() -> None:
        sent = 0
        try:
            async with aclosing(source) as chunks:  # type: ignore[type-var]  # both sources are generators
                async for chunk in chunks:
                    audio = base64.b64encode(chunk).decode()
                    await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
                    sent += len(chunk)
                    if size is not None and sent <= size:
                        turn.stamps["end of speech"] = time.monotonic()
        except NoSourceError as error:
            turn.errors.append(str(error))
            await socket.close()
        except websockets.ConnectionClosed:
            return

    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(feed())
        try:
            async with asyncio.timeout(PATIENCE_S + (size or 0) / RATE * CHUNK_S):
                with suppress(websockets.ConnectionClosedError):
                    async for text in socket:
                        if turn.take(json.loads(text)):
                            break
        except TimeoutError:
            turn.errors.append(f"no answer within {PATIENCE_S:.0f} s; was there speech in the audio?")
        feeding.cancel()


def _show(turn: Turn, out: Any) -> None:
    out.print(f"[bold]you[/]     {turn.heard.strip() or '(nothing was heard)'}")
    out.print(f"[bold]answer[/]  {turn.said.strip() or '(nothing was said)'}")
    for message in turn.errors:
        out.print(f"[red]error[/]   {message}")
    error = ((turn.response.get("status_details") or {}).get("error") or {}).get("message")
    if error:
        out.print(f"[red]failed[/]  {error}")
    attempts = (turn.response.get("metadata") or {}).get("attempts")
    show_record({"attempts": json.loads(attempts) if isinstance(attempts, str) else attempts or []}, out, stages=True)
    out.print(waterfall(turn.stamps))


async def _explain(talk: Talk, metadata: Mapping[str, str], turn: Turn) -> None:
    """Ask the router why it decided as it did: the same facts, nothing is called."""
    document = {
        "model": talk.model,
        "messages": [{"role": "user", "content": turn.heard}],
        "metadata": dict(metadata),
        **({"user": talk.user} if talk.user else {}),
    }
    headers = {"authorization": f"Bearer {talk.key}"} if talk.key else {}
    async with httpx.AsyncClient(base_url=talk.url, headers=headers, trust_env=False) as client:
        try:
            answer = await client.post("/v1/router/explain", json=document)
        except httpx.HTTPError:
            return
    if answer.status_code == 200:
        decision = answer.json()["decision"]
        names = ["router", "route_id", "reason"]
        if decision.get("sticky") or (decision.get("propensity") or 1) == 1:
            names += ["variant_id", "model", "bucket"]  # else each request draws anew: this one's are not the call's
        words = [f"{name}={decision[name]}" for name in names if decision.get(name) is not None]
        console().print("decision  " + "  ".join(words), style="dim", markup=False)
