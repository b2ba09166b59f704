"""A voice session in the street: what it says is checked like a chat answer is, response by response."""

import contextlib
import json
import secrets
import time

from realtime.speech.scripted import WORD_MS
from tests.realtime.relay.rig import FaultyUpstream
from tests.realtime.voice_rig import connected

from .invariants import MAX_ATTEMPTS, UNSEEN, WORDS
from .street import KEY, OTHER_KEY, PROVIDER_KEY, Street, provider

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


class VoiceStreet(Street):
    """Also with ears and voices that fail on demand."""

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
        self.spoken = FaultyUpstream()
        await self._enter(self.spoken)

    def _providers(self):
        spoken = provider("spoken", f"http://127.0.0.1:{self.spoken.port}")[:-1] + ', realtime: {models: ["*"]}}'
        far = provider("far", "http://127.0.0.1:9")
        return f"{super()._providers()}\n  scripted: {{kind: scripted}}\n{far}\n{spoken}"

    @contextlib.asynccontextmanager
    async def session(self, model, *, microphone=False, **audio):
        """A session that has been told what to be."""
        path = f"/v1/realtime?model={model}"
        headers = {"authorization": f"Bearer {KEY}"}
        async with connected(self.port, path, microphone=microphone, headers=headers) as client:
            client.canary = f"canary-of-a-caller-{secrets.token_hex(6)}"
            self.witness.clients.append(client)
            await client.until("session.created")
            await client.send("session.update", session={"type": "realtime", "audio": audio})
            await client.until("session.updated")
            yield client

    @contextlib.asynccontextmanager
    async def relayed(self, router, *, opens=True):
        """A session that a provider's realtime endpoint holds."""
        headers = {"authorization": f"Bearer {KEY}"}
        async with connected(
            self.port, f"/v1/realtime?model=router/{router}", microphone=False, headers=headers
        ) as client:
            if opens:
                await client.until("session.created")
            yield client

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


def check_session(street, client, mark=None):
    """I1 to I5 and I9 of everything a session said; `mark` is that of its models."""
    created = [event["response"]["id"] for event in client.of("response.created")]
    done = [event["response"] for event in client.of("response.done")]
    assert [response["id"] for response in done] == created, "I5: a response ends once"
    for response in done:
        at = next(n for n, one in enumerate(client.events) if one.get("response") is response)
        late = [one["type"] for one in client.events[at + 1 :] if one.get("response_id") == response["id"]]
        assert late == [], "I5: something came after the end"
        llm = attempts_of(response, "llm")
        assert len(llm) <= MAX_ATTEMPTS, "I4"
        assert sum(one["success"] for one in llm) <= 1, "I3"
        text = " ".join(
            part.get("transcript") or part.get("text") or "" for item in response["output"] for part in item["content"]
        ).split()
        assert text == WORDS[: len(text)], f"I2: {text}"
    if mark is not None:
        told = [one["model"].partition("/")[2] for response in done for one in attempts_of(response, "llm")
                if one["outcome"] not in UNSEEN]  # fmt: skip
        assert told == [call.model for call in street.journal(mark)], "I1"
    said = json.dumps(client.events)
    assert not [secret for secret in (PROVIDER_KEY, KEY, OTHER_KEY) if secret in said], "I9"


def check_quiet(street, before, clients):
    """I6 to I8 when the sessions are over; `before` is the exposition at the start."""

    def grown(name):
        return street.total(name) - sum(v for series, v in before.items() if series.partition("{")[0] == name)

    street.until(lambda: street.total("rr_ws_sessions") == street.total("rr_inflight") == 0, 3)
    street.until(lambda: all(seen.ended is not None for seen in list(street.server.journal.seen)), 2)
    told = [one for client in clients for event in client.of("response.done") for one in attempts_of(event["response"])]
    llm = [one for one in told if one["stage"] == "llm"]
    assert grown("rr_voice_attempts_total") >= len(told), "I8: voice attempts"
    assert grown("rr_attempts_total") >= len(llm), "I8: attempts"
