"""Upstreams for relayed sessions: the product itself behind a server of its own, and one that fails as it is told."""

import asyncio
import contextlib
import json
import random
import time
from types import SimpleNamespace

import websockets

SERVER = """
version: 1
records: {{url: null}}
auth: {{keys: [{{id: main, secret: sk-callers-own, concurrent_sessions: 400, packets_per_second: 100000}}{extra}]}}
providers:
  demo: {{kind: demo}}
{providers}
routers: [routers]
defaults: {{timeouts: {{connect_s: 1.2, first_token_s: 2}}, cooldown: {{consecutive_failures: 1000}}}}
realtime:
  model: demo/fast
  limits: {{concurrent_sessions: 400}}
"""
PROVIDER = (
    '  {name}: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: {ours}, allow_private: true, {more}}}'
)
KEY = {"authorization": "Bearer sk-callers-own"}


OURS = "sk-ours-and-only"


def provider(name, port, more='realtime: {models: ["*"]}'):
    return PROVIDER.format(name=name, port=port, more=more, ours=OURS)


def pool(name, first, *rest):
    variant = f"{{id: v, weight: 100, model: {first}, fallbacks: {json.dumps(rest)}}}"
    return f"router: {name}\nkind: realtime\ndefault: {{id: d, variants: [{variant}]}}\n"


def server_file(*providers, extra=""):
    return SERVER.format(providers="\n".join(providers), extra=extra)


def event(kind, **fields):
    return json.dumps({"type": kind, **fields})


DICE = random.Random(7)
KINDS = ("session.created", "session.updated", "conversation.item.added", "conversation.item.deleted", "error",
         "conversation.item.truncated", "input_audio_buffer.committed", "input_audio_buffer.speech_started",
         "input_audio_buffer.speech_stopped", "input_audio_buffer.cleared", "response.output_item.added",
         "response.output_item.done", "response.output_audio.delta", "response.output_audio_transcript.delta",
         "conversation.item.input_audio_transcription.completed", "unheard.of")  # fmt: skip
FIELDS = ("session", "item", "item_id", "response_id", "response", "error", "audio_end_ms", "audio_start_ms", "delta",
          "transcript", "previous_item_id", "event_id", "output_index")  # fmt: skip
VALUES = (None, True, 0, -1, 1e300, "", "x", [], [1], {}, {"id": 7}, {"id": "x", "type": "message", "content": 3},
          {"id": "x", "type": 7, "role": []}, {"audio": 3}, {"audio": {"input": 3}}, {"event_id": []})  # fmt: skip
NOISE = (
    *(bytes(DICE.randrange(256) for _ in range(DICE.randrange(60))) for _ in range(20)),
    *("", "null", "[]", "7", "{", '{"type"', '{"type": 7}', '{"no": "type"}', '{"type": "error"}', "[" * 5000,
      '{"type": "x", "a": ' + "[" * 5000 + "]" * 5000 + "}", '{"type": "\\ud800"}'),
    *(json.dumps({"type": DICE.choice(KINDS), **{DICE.choice(FIELDS): DICE.choice(VALUES) for _ in range(3)}})
      for _ in range(600)),
)  # fmt: skip


class FaultyUpstream:
    """A realtime endpoint whose model's name is the script. `seen` keeps, by connection, what it was told; `dialled`
    every connection that was asked for, with the Unix time of its end.
    """

    words, half = ("fine", "thanks"), ("half", "of")  # of a whole answer, and of one that is cut

    def __init__(self):
        self.seen = []
        self.dialled = []
        self.headers = []
        self.died_s = 0.0
        self.flooded_bytes = 0
        self.port = 0

    async def __aenter__(self):
        self._server = await websockets.serve(
            self._talk, "127.0.0.1", 0, process_request=self._refuse, max_size=None, compression=None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    @staticmethod
    def script(path):
        return path.partition("model=")[2]

    async def _refuse(self, connection, request):
        script = self.script(request.path)
        self.headers.append(dict(request.headers.raw_items()))
        connection.dialled = SimpleNamespace(model=script, ended=None)
        self.dialled.append(connection.dialled)
        if script.startswith("refuse-"):
            connection.dialled.ended = time.time()
            return connection.respond(int(script[7:]), "no\n")
        if script == "never":
            await asyncio.sleep(3)
        return None

    async def _talk(self, socket):
        script = self.script(socket.request.path)
        seen = []
        self.seen.append((script, seen))
        try:
            with contextlib.suppress(websockets.ConnectionClosed):
                await getattr(self, script.replace("-", "_").partition("__")[0])(socket, seen, script)
        finally:
            socket.dialled.ended = time.time()

    def sound(self):
        """What is heard with each word, as base64."""
        return "AAAA" * 100

    async def _greet(self, socket, number=None):
        number = len(self.seen) if number is None else number
        audio = {"input": {"turn_detection": None, "format": {"type": "audio/pcm", "rate": 24000}},
                 "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}}  # fmt: skip
        session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_up{number}",
            "model": "m",
            "audio": audio,
        }
        await socket.send(event("session.created", event_id="e1", session=session))
        return session

    async def _serve(self, socket, seen, *, until=None, answers=True):
        """Answer as a realtime endpoint does, until `until(seen)`."""
        session = await self._greet(socket)
        number = 0
        async for text in socket:
            one = json.loads(text)
            seen.append(one)
            if until is not None and until(seen):
                return
            kind = one["type"]
            if kind == "session.update":
                session = {**session, **one["session"]}
                await socket.send(event("session.updated", session=session))
            elif kind == "conversation.item.create":
                item = {"id": f"item_{number}", "status": "completed", **one["item"]}
                number += 1
                for stage in ("added", "done"):
                    await socket.send(event(f"conversation.item.{stage}", previous_item_id=None, item=item))
            elif kind == "input_audio_buffer.commit":
                item = {"id": f"item_{number}", "type": "message", "role": "user", "status": "completed",
                        "content": [{"type": "input_audio", "transcript": None}]}  # fmt: skip
                number += 1
                await socket.send(event("input_audio_buffer.committed", item_id=item["id"], previous_item_id=None))
                for stage in ("added", "done"):
                    await socket.send(event(f"conversation.item.{stage}", previous_item_id=None, item=item))
            elif kind == "response.create" and answers:
                await self.answer(socket, len(seen))

    async def answer(self, socket, number, *, words=None, whole=True, pause_s=0.0):
        words = words or self.words
        name = f"resp_{len(self.seen)}_{number}"
        place = {"response_id": name, "item_id": f"item_{name}", "output_index": 0}
        item = {"id": f"item_{name}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        response = {"object": "realtime.response", "id": name, "status": "in_progress", "conversation_id": "conv_1",
                    "output": [], "metadata": None, "usage": None, "status_details": None}  # fmt: skip
        await socket.send(event("response.created", response=response))
        await socket.send(event("response.output_item.added", response_id=name, output_index=0, item=item))
        await socket.send(event("conversation.item.added", previous_item_id=None, item=item))
        for word in words:
            await asyncio.sleep(pause_s)
            await socket.send(event("response.output_audio.delta", **place, content_index=0, delta=self.sound()))
            await socket.send(
                event("response.output_audio_transcript.delta", **place, content_index=0, delta=f"{word} ")
            )
        if not whole:
            return
        item |= {"status": "completed", "content": [{"type": "output_audio", "transcript": " ".join(words)}]}
        await socket.send(event("response.output_item.done", response_id=name, output_index=0, item=item))
        await socket.send(event("conversation.item.done", previous_item_id=None, item=item))
        usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
        await socket.send(
            event("response.done", response={**response, "status": "completed", "output": [item], "usage": usage})
        )

    # --- scripts -----------------------------------------------------------------------------------------------------

    async def good(self, socket, seen, _script):
        await self._serve(socket, seen)

    async def hang(self, socket, _seen, _script):
        await socket.wait_closed()

    async def error_first(self, socket, _seen, _script):
        await socket.send(
            event("error", error={"type": "invalid_request_error", "code": "invalid_api_key", "message": "no"})
        )
        await socket.close(3000)

    async def young(self, socket, seen, script):
        """Accept, and die within the second."""
        await self._greet(socket)
        await asyncio.sleep(0.2)
        await self._die(socket, script)

    async def asked(self, socket, seen, script):
        """Die when a response is asked for, before a word of it."""
        await self._serve(socket, seen, until=lambda all_of_it: all_of_it[-1]["type"] == "response.create")
        await self._die(socket, script)

    async def silent(self, socket, seen, _script):
        """Never answer a response that is asked for."""
        await self._serve(socket, seen, answers=False)

    async def begun(self, socket, seen, script):
        """Die in the middle of a response."""
        await self._serve(socket, seen, until=lambda all_of_it: all_of_it[-1]["type"] == "response.create")
        await self.answer(socket, 1, words=self.half, whole=False)
        await self._keep_on(socket, 4)
        await self._die(socket, script)

    async def dropped(self, socket, seen, script):
        """Die in the middle of what the user says."""
        await self._serve(socket, seen, until=lambda all_of_it: len(all_of_it) == 20)
        await self._die(socket, script)

    async def halting(self, socket, seen, _script):
        """Begin a response and keep it going."""
        await self._serve(socket, seen, until=lambda all_of_it: all_of_it[-1]["type"] == "response.create")
        await self.answer(socket, 1, whole=False)
        await self._keep_on(socket, 60)

    async def slowly(self, socket, seen, _script):
        """Take a second for a response."""
        await self._serve(socket, seen, until=lambda all_of_it: all_of_it[-1]["type"] == "response.create")
        await self.answer(socket, 1, pause_s=0.5)
        await socket.wait_closed()

    async def flooding(self, socket, _seen, _script):
        """Say more than anybody reads."""
        await self._greet(socket)
        for _ in range(1024):
            await socket.send(event("response.output_audio.delta", response_id="r", item_id="i", delta="A" * 65536))
            self.flooded_bytes += 65536

    async def deaf(self, socket, _seen, _script):
        """Greet, and never read again."""
        await self._greet(socket)
        socket.transport.pause_reading()
        await asyncio.sleep(8)
        socket.transport.abort()

    async def _keep_on(self, socket, times):
        for _ in range(times):
            await asyncio.sleep(0.3)
            await socket.send(event("rate_limits.updated", rate_limits=[]))

    async def noisy(self, socket, seen, _script):
        """Say all kinds of things that are none, then be well."""
        await self._greet(socket)
        for noise in NOISE:
            await socket.send(noise)
        async for text in socket:
            seen.append(json.loads(text))
            if seen[-1]["type"] == "response.create":
                await self.answer(socket, len(seen))

    async def _die(self, socket, script):
        self.died_s = time.monotonic()
        code = script.partition("__")[2]
        if code:
            await socket.send(
                event("error", error={"type": "server_error", "code": "server_error", "message": "sorry"})
            )
            await socket.close(int(code), "the end")
        else:
            socket.transport.abort()
