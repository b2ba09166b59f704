"""The public class of the library: decide, explain, complete, stream, pass through; one state, swapped whole."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from policies import Decision, Facts, RoutingRefusal, Try

from .assembled import ask
from .clock import Clock
from .conversations import conversation_of
from .dispatch import CHAT, Errand, dispatch
from .explained import explained
from .flow import Flow
from .health import Budgets, Health
from .observers import Observer, Tracing
from .record import Record
from .refusal import Refusal
from .relay import Stream
from .request import Request, parse_chat, parse_other
from .state import NOBODY, Caller, Completion, Guesses, Parcel, State, Table
from .walk import Surroundings, Walk

__all__ = ["NOBODY", "Caller", "Completion", "Flow", "Guesses", "Parcel", "Router", "State", "Stream", "Table"]

T = TypeVar("T")
_VARIANT = "89ab" * 4  # the two bits that say which kind of UUID it is
COMPLETIONS = "/completions"
STAGES = frozenset({"stt", "tts", "realtime"})
RECORD_KINDS = {"/images/generations": "images", "/images/edits": "images", "/images/variations": "images"}
TARGET_KINDS = {"embeddings": "embedding", "moderations": "moderation", "images": "image_generation"}


class Router:
    """Facts -> Decision -> Plan -> attempts -> record, for every kind of call.

    The health of targets and the observers outlive a reload; everything else is the state, swapped as one value.
    """

    def __init__(
        self,
        state: State,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.state = state
        self.observers = list(observers)
        self.clock = clock or Clock()
        self.health = Health(state.cooldown)
        self.tripped: frozenset[str] = frozenset()  # routers whose guardrails have tripped
        self._around = Surroundings(self.clock, self.health, Budgets(), self.observers, tracing)

    @classmethod
    def from_file(cls, path: str | Path, *, observers: Sequence[Observer] = ()) -> "Router":
        """Build from a server file. Raises the configuration's own error, with file, line and column."""
        from .assembly import state_from  # noqa: PLC0415  the configuration is not needed to use a Router

        return cls(state_from(Path(path), os.environ), observers=observers)

    @classmethod
    def from_environment(cls, *, observers: Sequence[Observer] = ()) -> "Router":
        """Build from RR_CONFIG, or without any file from the provider keys in the environment."""
        from .assembly import state_from  # noqa: PLC0415  the same

        path = os.environ.get("RR_CONFIG")
        return cls(state_from(Path(path) if path else None, os.environ), observers=observers)

    def replace(self, state: State) -> None:
        """Swap the state; requests in flight keep the old one."""
        self.health.follow(state.cooldown)
        self.state = state

    def decide(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Decision:
        """The decision for a chat document; nothing is called or counted. Raises Refusal."""
        state = self.state
        request = parse_chat(document, empty_messages=True)
        facts, _ = _informed(state, self._facts(request, caller, self._conversation(state, request, caller, "chat")))
        return self._decided(state, facts)

    def serves(self, model: str) -> bool:
        """Whether a model string that names no router means anything here."""
        return self.state.table.serves(model)

    def explain(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> dict[str, Any]:
        """Decision and plan as JSON (the answer of POST /v1/router/explain). Raises Refusal."""
        return explained(self.decide(document, caller))

    async def complete(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Completion:
        """A chat completion as one JSON answer. Raises Refusal (with record) when nobody answered."""
        state = self.state
        request = parse_chat(document)
        if document.get("stream"):
            request = replace(request, document={**request.document, "stream": False})
        walk = self._walk(state, request, caller, "chat")
        errand = self._errand(state, walk, request, caller)
        limited = walk.decision.plan.limits.first_token_s is not None
        whole = await dispatch(walk, errand, ask if limited else None)
        return Completion(whole.status, whole.with_metadata(walk), walk.record, whole.content_type)

    async def stream(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Stream:
        """A chat completion as a stream; returns when the first meaningful delta is there. Raises Refusal."""
        stream = self.unopened(document, caller)
        await stream.open()
        return stream

    def unopened(self, document: Mapping[str, Any], caller: Caller = NOBODY) -> Stream:
        """The stream of a chat completion before anybody is called: `open` it. Raises Refusal.

        For whoever wants its record while it opens; `close` ends it there and then, and the record is complete.
        """
        state = self.state
        request = parse_chat(document)
        if document.get("stream") is not True:
            request = replace(request, document={**request.document, "stream": True})
        walk = self._walk(state, request, caller, "chat")
        walk.record.streamed = True
        errand = self._errand(state, walk, request, caller)
        errand.stream = errand.asks_usage = True
        return Stream(walk, errand, wants_usage=request.wants_usage)

    async def passthrough(
        self,
        path: str,
        body: bytes,
        document: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        model: str | None = None,
        caller: Caller = NOBODY,
    ) -> Completion:
        """Any other OpenAI call (embeddings, moderations, audio, images, completions) under the same plan and record.

        `document` is the parsed body where it is JSON; else `model` says who is asked (read from the form).
        `metadata` goes only into answers that are JSON objects. Raises Refusal.
        """
        parcel = Parcel(path, body, document, content_type, model)
        walk, errand, _ = self._parcel(parcel, caller)
        whole = await dispatch(walk, errand)
        return Completion(whole.status, whole.with_metadata(walk), walk.record, whole.content_type)

    async def flow(self, parcel: Parcel, caller: Caller = NOBODY) -> Stream | Flow:
        """`passthrough` for answers that are to be read while they come; returns with the first bytes. Raises Refusal.

        Streamed completions are a `Stream` with the record on the last chunk; everything else passes byte by byte.
        """
        walk, errand, wants_usage = self._parcel(parcel, caller)
        walk.record.streamed = errand.stream = True
        answer: Stream | Flow
        if parcel.path == COMPLETIONS:
            errand.asks_usage = True
            answer = Stream(walk, errand, wants_usage=wants_usage)
        else:
            answer = Flow(walk, errand)
        await answer.open()
        return answer

    def _parcel(self, parcel: Parcel, caller: Caller) -> tuple[Walk, Errand, bool]:
        state, path, document = self.state, parcel.path, parcel.document
        request = parse_other(document if document is not None else {"model": parcel.model})
        walk = self._walk(state, request, caller, RECORD_KINDS.get(path, path.strip("/").partition("/")[0]))
        errand = self._errand(state, walk, request, caller)
        errand.path, errand.content_type = path, parcel.content_type
        if document is None:
            errand.document, errand.body = None, parcel.body
        return walk, errand, request.wants_usage

    def walk(self, facts: Facts, *, kind: str, caller: Caller = NOBODY) -> Walk:
        """Decide for these facts and set out: for calls that are not ours to make (STT, TTS, sessions).

        The facts' time, health and seed are filled in here. Use `walk.run(call)`, or `open`, `settle` and `finish` for
        calls that go on after they began. Raises Refusal.
        """
        return self._set_out(self.state, self._filled(facts, caller), caller, kind)

    def foresee(self, facts: Facts, caller: Caller = NOBODY) -> Decision:
        """What `walk` would decide for these facts; nothing is called or counted. Raises Refusal."""
        facts, _ = _informed(self.state, self._filled(facts, caller))
        return self._decided(self.state, facts)

    def _filled(self, facts: Facts, caller: Caller) -> Facts:
        clock = self.clock
        now_s = clock.now()
        return replace(
            facts,
            health=self.health.snapshot(now_s),
            now_s=now_s,
            wall_s=clock.wall(),
            seed=facts.seed or _fresh_id(clock),
            forced_variant=facts.forced_variant or caller.forced_variant,
            tripped=self.tripped,
        )

    async def run(
        self, facts: Facts, call: Callable[[Try], Awaitable[T]], *, kind: str, caller: Caller = NOBODY
    ) -> tuple[T, Record]:
        """Walk a plan for a call of another kind (STT, TTS, sessions): same decision, same walk, same record.

        `call` makes one attempt and raises UpstreamFault when it fails. Raises Refusal (with record).
        """
        walk = self.walk(facts, kind=kind, caller=caller)
        value = await walk.run(call)
        return value, walk.record

    def retries_left(self) -> Mapping[str, int]:
        """What each pool (a router, or a model called directly) that retries now may still retry."""
        return self._around.budgets.remaining()

    async def aclose(self) -> None:
        """Release the upstreams."""
        for upstream in self.state.upstreams.values():
            await upstream.aclose()

    @staticmethod
    def _conversation(state: State, request: Request, caller: Caller, kind: str) -> bytes | None:
        """What stands for the conversation, where it matters who answered it."""
        if not state.table.fluid(request.model, TARGET_KINDS.get(kind, "chat"), request.options):
            return None
        return conversation_of(request.document, request.messages, user=request.user, key_id=caller.key_id)

    def _facts(self, request: Request, caller: Caller, conversation: bytes | None, kind: str = "chat") -> Facts:
        clock = self.clock
        now_s = clock.now()
        return Facts(
            request.model,
            caller.protocol,
            request.user,
            request.metadata,
            request.messages,
            caller.voice,
            request.prompt_variables,
            request.options,
            request.needs,
            self.health.snapshot(now_s),
            now_s,
            clock.wall(),
            _fresh_id(clock),
            caller.forced_variant,
            self.tripped,
            kind=TARGET_KINDS.get(kind, "chat"),
            held=None if conversation is None else self._around.conversations.held(conversation, now_s),
        )

    @staticmethod
    def _decided(state: State, facts: Facts) -> Decision:
        try:
            return state.table.decide(facts)
        except RoutingRefusal as refused:
            raise Refusal(
                refused.status, refused.message, code=refused.code, param=refused.param, kind=refused.type
            ) from None

    def _walk(self, state: State, request: Request, caller: Caller, kind: str) -> Walk:
        conversation = self._conversation(state, request, caller, kind)
        walk = self._set_out(state, self._facts(request, caller, conversation, kind), caller, kind)
        walk.record.conversation = conversation
        if request.warnings:
            walk.record.warnings += request.warnings
        return walk

    def _set_out(self, state: State, facts: Facts, caller: Caller, kind: str) -> Walk:
        facts, inferred = _informed(state, facts)
        decision = self._decided(state, facts)
        record = Record(facts.seed, decision, facts.now_s, facts.wall_s, caller.request_id, caller.key_id, kind)
        record.inferred = inferred
        stage = kind if kind in STAGES else "llm" if caller.protocol == "realtime" else None
        walk = Walk(decision, facts, self._around, record, stage=stage)
        if self._around.tracing is not None:
            walk.trace = self._around.tracing.begin(record, facts, caller.headers)
        return walk

    def _errand(self, state: State, walk: Walk, request: Request, caller: Caller) -> Errand:
        return Errand(
            path=CHAT,
            decision=walk.decision,
            upstreams=state.upstreams,
            clock=self.clock,
            document=request.document,
            headers=caller.headers,
            credentials=request.credentials,
            trace=walk.trace,
        )


def _informed(state: State, facts: Facts) -> tuple[Facts, Mapping[str, Mapping[str, Any]]]:
    return (facts, {}) if state.guesses is None else state.guesses.informed(facts)


def _fresh_id(clock: Clock) -> str:
    """A UUID (version 4) from the clock's chance: names the answer, and stands in for a missing unit."""
    text = clock.bits(128).to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[int(text[16], 16)]}{text[17:20]}-{text[20:]}"
