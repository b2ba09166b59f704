"""Voice sessions in the street: what they say is judged like a chat answer is, response by response."""

import base64
import contextlib
import json
import time

from realtime.speech.scripted import WORD_MS
from tests.realtime.relay.rig import FaultyUpstream
from tests.realtime.voice_rig import connected

from .invariants import WORDS
from .street import KEY, Street, provider

BYTES_PER_WORD = 24 * 2 * WORD_MS
ROUTER = """
router: {name}
kind: {kind}
default: {{id: d, variants: [{{id: v, weight: 100, model: "{first}", fallbacks: ["{then}"]}}]}}
"""
REALTIME = """
realtime:
  transcription: {model: scripted/hears, grammar: sentences.jsgf}
  speech: {model: scripted/speaks, lead_s: 30}
"""


def fallback(name, first, then, kind="chat"):
    return ROUTER.format(name=name, kind=kind, first=first, then=then)


class Spoken(FaultyUpstream):
    """Says the scripted words; each connection has a voice of its own."""

    words, half = WORDS[:8], WORDS[:2]

    def sound(self):
        return base64.b64encode(bytes([len(self.seen)]) * 300).decode()


class VoiceStreet(Street):
    """Also with ears and voices that fail on demand."""

    plain = (*Street.plain, "spoken")

    routers = {  # noqa: RUF012 - never changed
        "dying": fallback("dying", "east/role-then-die@r62", "east/ok@r62"),
        "stalling": fallback("stalling", "east/hang@r65", "east/ok@r65"),
        "ears": fallback("ears", "scripted/dies-while-fed", "local/pocketsphinx", "transcription"),
        **{
            name: fallback(name, f"spoken/{first}", f"spoken/{then}", "realtime")
            for name, first, then in (
                ("refusing", "refuse-503", "refuse-500"),
                ("lost-1008", "begun__1008", "refuse-503"),
                ("lost-1011", "begun__1011", "refuse-503"),
                ("moved-1008", "begun__1008", "good"),
                ("moved-1011", "begun__1011", "good"),
            )
        },
        "voices": fallback("voices", "scripted/dies-after-3-words", "scripted/speaks", "speech"),
    }

    def __init__(self, folder, **more):
        super().__init__(folder, extra=REALTIME, **more)

    async def _open(self):
        await super()._open()
        self.spoken = Spoken()
        await self._enter(self.spoken)

    def _providers(self):
        spoken = provider("spoken", f"http://127.0.0.1:{self.spoken.port}")[:-1] + ', realtime: {models: ["*"]}}'
        far = provider("far", "http://127.0.0.1:9")
        return f"{super()._providers()}\n  scripted: {{kind: scripted}}\n{far}\n{spoken}"

    def logs(self):
        return [*super().logs(), self.spoken.dialled]

    @contextlib.asynccontextmanager
    async def session(self, model, *, microphone=False, **audio):
        """A session that has been told what to be."""
        path = f"/v1/realtime?model={model}"
        headers = {"authorization": f"Bearer {KEY}"}
        async with connected(self.port, path, microphone=microphone, headers=headers) as client:
            self.witness.sessions([client])
            await client.until("session.created")
            await client.send("session.update", session={"type": "realtime", "audio": audio})
            await client.until("session.updated")
            yield client

    @contextlib.asynccontextmanager
    async def relayed(self, router, *, opens=True):
        """A session that a provider's realtime endpoint holds: its words are that provider's."""
        headers = {"authorization": f"Bearer {KEY}"}
        async with connected(
            self.port, f"/v1/realtime?model=router/{router}", microphone=False, headers=headers
        ) as client:
            self.witness.sessions([client], ours=False)
            if opens:
                await client.until("session.created")
            yield client
            client.left_s = time.time()

    def requests(self):
        """The latest records."""
        return self.client.get("/v1/router/requests", params={"limit": 1000}).json()["data"]


async def asked(client, text="talk"):
    """A written question; the time it was asked."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"{text} {client.canary}"}]}
    await client.send("conversation.item.create", item=item)
    await client.send("response.create")
    return time.monotonic()


def attempts_of(response, stage=None):
    told = json.loads((response["metadata"] or {}).get("attempts", "[]"))  # a reply that was cut off tells none
    return [one for one in told if stage in (None, one["stage"])]
