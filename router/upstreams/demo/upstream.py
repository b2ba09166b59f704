"""The demo provider's upstream: personalities with their pace and faults.

Deterministic text, honest about itself (`system_fingerprint: "demo"`), no network, no key. Time comes from a `Clock`.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from policies import Outcome
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.inprocess import JSON_HEADERS, SSE_HEADERS, Clock, Piece, ScheduledReply

from .completion import completion
from .legacy import as_chat, as_text
from .vectors import WrongInput, embeddings, moderations


@dataclass(frozen=True, slots=True)
class Personality:
    """How one demo model behaves. Times in seconds; `fails_every` n-th call with 503; `cut_after` tokens."""

    first_token_s: float
    tokens_per_s: float
    long: bool = False
    fails_every: int = 0
    cut_after: int | None = None
    only: str | None = None  # the one endpoint that it answers


PERSONALITIES: Mapping[str, Personality] = {
    "fast": Personality(0.020, 200),
    "smart": Personality(0.150, 60, long=True),
    "flaky": Personality(0.020, 200, fails_every=3),
    "down": Personality(0.0, 200, fails_every=1),
    "slow": Personality(5.0, 200),
    "cut": Personality(0.020, 200, cut_after=20),
    "embedding": Personality(0.001, 200, only="embeddings"),
    "moderation": Personality(0.001, 200, only="moderations"),
}


class DemoUpstream:
    """An `Upstream` for `demo/<personality>`: chat completions, embeddings, moderations and the list of models."""

    def __init__(self, clock: Clock | None = None, *, wall_s: Callable[[], float] = time.time) -> None:
        self._clock = clock or Clock()
        self._wall_s = wall_s
        self._calls = {name: count(1) for name in PERSONALITIES}
        self._ids = count(1)

    async def send(self, call: Call) -> ScheduledReply:
        """Answer; a JSON answer's headers come when the answer is complete, a stream's at once."""
        name = call.target.model
        if call.path.rstrip("/").endswith("/models"):
            return self._json(200, {"object": "list", "data": [_model(name) for name in PERSONALITIES]})
        personality = PERSONALITIES.get(name)
        if personality is None:
            known = ", ".join(sorted(PERSONALITIES))
            message = f"The model 'demo/{name}' does not exist; demo models are: {known}"
            return self._error(404, message, "invalid_request_error", code="model_not_found", param="model")
        if personality.fails_every and next(self._calls[name]) % personality.fails_every == 0:
            return self._error(503, f"demo/{name} is unavailable, as it is meant to be", "server_error", code=None)
        if call.document is None:
            message = f"the demo provider answers JSON bodies only: it has no {call.path!r}"
            return self._error(404, message, "invalid_request_error", code="unknown_url")
        endpoint = call.path.rstrip("/").rpartition("/")[2]
        if personality.only not in (None, endpoint):
            message = f"'demo/{name}' answers /{personality.only} only, not {call.path!r}"
            return self._error(404, message, "invalid_request_error", code="model_not_found", param="model")
        try:
            return await self._answered(call, call.document, personality, endpoint)
        except WrongInput as wrong:
            return self._error(400, str(wrong), "invalid_request_error", code="invalid_value", param=wrong.param)

    async def _answered(
        self, call: Call, document: Mapping[str, Any], personality: Personality, endpoint: str
    ) -> ScheduledReply:
        name = call.target.model
        match endpoint:
            case "completions" if call.path.rstrip("/").endswith("/chat/completions"):
                return await self._chat(call, document, personality)
            case "completions":
                chat = as_chat(document)
                if not chat["messages"]:
                    message = "'prompt' must be a text"
                    return self._error(400, message, "invalid_request_error", code="invalid_value", param="prompt")
                return await self._chat(call, chat, personality, shaped=as_text)
            case "embeddings":
                return await self._paced(embeddings(document, name), personality, call)
            case "moderations":
                return await self._paced(moderations(document, name), personality, call)
            case _:
                message = f"the demo provider has no {call.path!r}: it chats, completes, embeds and moderates"
                return self._error(404, message, "invalid_request_error", code="unknown_url")

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _chat(
        self,
        call: Call,
        document: Mapping[str, Any],
        personality: Personality,
        *,
        shaped: Callable[[bytes], bytes] = bytes,
    ) -> ScheduledReply:
        messages = document.get("messages")
        if not isinstance(messages, list) or not messages:
            message = "'messages' must be a list with at least one message"
            return self._error(400, message, "invalid_request_error", code="invalid_value", param="messages")
        answer = completion(
            document, call.target.name, call_id=self._id(call.body), created=int(self._wall_s()), long=personality.long
        )
        if not call.stream:
            return await self._paced(shaped(answer.as_json()), personality, call, tokens=answer.tokens)
        step_s = 1 / personality.tokens_per_s
        options = document.get("stream_options")
        include_usage = isinstance(options, Mapping) and options.get("include_usage") is True
        events = [shaped(event) for event in answer.events(include_usage=include_usage)]
        if personality.cut_after is not None:
            events = events[: 1 + personality.cut_after]
        pieces = [Piece(personality.first_token_s + max(0, n - 1) * step_s, event) for n, event in enumerate(events)]
        if personality.cut_after is None:
            ending = shaped(b"".join(answer.ending(include_usage=include_usage)))
            pieces.append(Piece(pieces[-1].at_s + step_s, ending))
        return ScheduledReply(200, SSE_HEADERS, pieces, clock=self._clock, idle_s=call.timeouts.idle_s)

    async def _paced(self, content: bytes, personality: Personality, call: Call, *, tokens: int = 0) -> ScheduledReply:
        due_s = personality.first_token_s + tokens / personality.tokens_per_s
        if due_s > call.timeouts.total_s:
            await self._clock.sleep(call.timeouts.total_s)
            raise UpstreamFault(Outcome.HEADER_TIMEOUT, f"no answer within {call.timeouts.total_s:g} s")
        await self._clock.sleep(due_s)
        return ScheduledReply(200, JSON_HEADERS, [Piece(0.0, content)], clock=self._clock)

    def _id(self, body: bytes) -> str:
        return f"chatcmpl-demo{hashlib.sha256(body + b'#%d' % next(self._ids)).hexdigest()[:24]}"

    def _json(self, status: int, document: Mapping[str, Any]) -> ScheduledReply:
        return ScheduledReply(status, JSON_HEADERS, [Piece(0.0, orjson.dumps(document))], clock=self._clock)

    def _error(
        self, status: int, message: str, kind: str, *, code: str | None, param: str | None = None
    ) -> ScheduledReply:
        return self._json(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "demo"}
