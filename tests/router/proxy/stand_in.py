"""A router that answers by itself, for tests of the door alone: model names say what happens."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import orjson

from policies import Attempt, Candidate, Decision, Outcome, Plan, Prices, Reason, Target
from router import Caller, Completion, Record, Refusal, Router, State
from router.proxy import create_app

NOBODY = Caller()
FAST = Target("demo", "fast", prices=Prices(1e-6, 2e-6))
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class StandIn(Router):
    """Answers `demo/fast`; `demo/slow` hangs; `demo/down` fails; `demo/defect` raises; `router/NAME` is decided."""

    def __init__(self):
        super().__init__(State(table=None, upstreams={}, configuration_hash="abc"))
        self.calls = []
        self.cancelled = 0
        self.closed = 0

    def decide(self, document, caller=NOBODY):
        model = document["model"]
        if model.startswith("unknown"):
            raise Refusal(404, f"no model {model!r}", code="model_not_found", param="model")
        kind, _, name = model.partition("/")
        routed = {"router": name, "route_id": "r1", "variant_id": "v1"} if kind == "router" else {}
        reason = Reason.SINGLE if routed else Reason.SPECIFIED
        return Decision(requested=model, model=FAST.name, reason=reason, plan=Plan((Candidate(FAST),)), **routed)

    def serves(self, model):
        return True

    def explain(self, document, caller=NOBODY):
        decision = self.decide(document, caller)
        return {"decision": {"model": decision.model, "router": decision.router}, "plan": [{"model": decision.model}]}

    def record(self, document, caller, *, outcome=Outcome.SUCCESS, **changes):
        attempt = Attempt(FAST, outcome, 1.0, 1.001, committed=outcome is Outcome.SUCCESS)
        decision = self.decide(document, caller)
        usage = USAGE if outcome is Outcome.SUCCESS else None
        return Record("gen", decision, 1.0, request_id=caller.request_id, attempts=[attempt], usage=usage, **changes)

    async def wait(self, document):
        if document["model"] == "demo/defect":
            raise ZeroDivisionError("secret detail")
        if document["model"] == "demo/slow":
            try:
                await asyncio.sleep(float(document.get("seconds", 3600)))
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

    async def complete(self, document, caller=NOBODY):
        self.calls.append((document, caller))
        await self.wait(document)
        if document["model"] == "demo/down":
            record = self.record(document, caller, outcome=Outcome.HTTP_5XX)
            raise Refusal(502, "demo failed", code="upstream_error", kind="upstream_error", record=record)
        record = self.record(document, caller)
        return Completion(200, orjson.dumps({"id": "x", "metadata": record.metadata()}), record)

    async def stream(self, document, caller=NOBODY):
        done = await self.complete(document, caller)
        pieces = [b'data: {"choices":[]}\n\n'] * int(document.get("pieces", 2)) + [b"data: [DONE]\n\n"]
        return Pieces(self, done.record, pieces, pause_s=float(document.get("pause_s", 0)))

    async def passthrough(self, path, body, document=None, *, content_type="application/json", model=None, caller=None):
        self.calls.append((path, body, content_type, model))
        asked = document or {"model": model}
        await self.wait(asked)
        record = self.record(asked, caller)
        if path == "/audio/speech":
            return Completion(200, b"RIFF", record, "audio/wav")
        return Completion(200, orjson.dumps({"object": "list", "metadata": record.metadata()}), record)

    async def flow(self, parcel, caller=NOBODY):
        whole = await self.passthrough(
            parcel.path,
            parcel.body,
            parcel.document,
            content_type=parcel.content_type,
            model=parcel.model,
            caller=caller,
        )
        pieces = Pieces(self, whole.record, [whole.body], pause_s=0)
        pieces.content_type = whole.content_type
        return pieces


class Pieces:
    serving = None
    running_s = 0.0

    def __init__(self, router, record, pieces, *, pause_s):
        self.router, self.record, self._pieces, self._pause_s = router, record, iter(pieces), pause_s
        self.reads = 0

    async def read(self):
        self.reads += 1
        if self._pause_s:
            try:
                await asyncio.sleep(self._pause_s)
            except asyncio.CancelledError:
                self.router.cancelled += 1
                raise
        return next(self._pieces, b"")

    def close(self):
        self.router.closed += 1


@asynccontextmanager
async def door(router=None, *, headers=None, **options):
    """A client at the door of a stand-in (or another router)."""
    app = create_app(router or StandIn(), **options)
    transport = httpx.ASGITransport(app.asgi, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers or {}) as client:
        client.app = app
        yield client


def chat(model="demo/fast", **more):
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


async def raw(app, messages, *, method="POST", path="/v1/chat/completions", headers=()):
    """Drive the ASGI callable by hand: `messages` are what receive() gives (then it waits); returns what was sent."""
    sent, waiting = [], list(messages)

    async def receive():
        if waiting:
            message = waiting.pop(0)
            return await message() if callable(message) else message
        return await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}
    await app(scope, receive, send)
    return sent
