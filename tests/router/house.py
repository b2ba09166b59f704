"""A router over the scripted upstream, and what a client makes of its answers."""

import orjson

from policies import CooldownRule, Limits, RoutingTable, Target, Targets, Timeouts
from router import Router, State
from router.sse import EventReader
from router.upstreams.scripted import ScriptedUpstream

MESSAGES = [{"role": "user", "content": "hello"}]
QUICK = Timeouts(connect_s=0.3, first_token_s=0.3, idle_s=0.1, total_s=5.0, answer_s=0.3)


class House:
    """`ask("500", "ok")` means: model scripted/500, fallback scripted/ok."""

    def __init__(self, *, observers=(), known=(), gap_s=0.0, clock=None, cooldown=None, **limits):
        self.upstream = ScriptedUpstream(gap_s=gap_s, time_scale=0.02, keep_bodies=True)
        upstreams = {"scripted": self.upstream}
        table = RoutingTable(Targets(("scripted",), known), limits=Limits(**{"timeouts": QUICK, **limits}))
        state = State(table, upstreams, cooldown=cooldown or CooldownRule())
        self.router = Router(state, observers=observers, clock=clock)

    @staticmethod
    def document(*models, **fields):
        first, *others = [f"scripted/{model}" for model in models]
        return {"model": first, "models": others, "messages": MESSAGES, **fields}

    async def complete(self, *models, **fields):
        return await self.router.complete(self.document(*models, **fields))

    async def stream(self, *models, **fields):
        return await self.router.stream(self.document(*models, stream=True, **fields))

    async def heard(self, *models, **fields):
        stream = await self.stream(*models, **fields)
        return Heard(await drained(stream), stream.record)

    def same_as_the_upstreams_log(self, record):
        return [attempt.target.model for attempt in record.attempts] == self.upstream.journal.models()


class Heard:
    """A stream as a client reads it."""

    def __init__(self, raw, record):
        reader = EventReader()
        payloads = reader.feed(raw) + reader.end()
        self.done = payloads[-1:] == [b"[DONE]"]
        self.chunks = [orjson.loads(payload) for payload in payloads if payload != b"[DONE]"]
        self.errors = [chunk["error"] for chunk in self.chunks if "error" in chunk]
        self.text = "".join(
            choice.get("delta", {}).get("content") or choice.get("text") or ""
            for chunk in self.chunks
            for choice in chunk.get("choices", ())
            if choice["index"] == 0
        )
        self.metadata = self.chunks[-1].get("metadata") if self.chunks else None
        self.models = {chunk["model"] for chunk in self.chunks if "model" in chunk}
        self.record = record

    @property
    def outcomes(self):
        return [attempt["outcome"] for attempt in self.metadata["attempts"]]


async def drained(stream):
    parts = []
    while part := await stream.read():
        parts.append(part)
    return b"".join(parts)


def target(model, **fields):
    return Target("scripted", model, **fields)
