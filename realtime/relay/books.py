"""The books of a relayed session: usage, what the key may still use, latencies, one log line a response."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from policies import Prices
from realtime.account import Account
from realtime.studio import Studio
from router.cost import cost_usd, tokens_of
from router.proxy.limits import Permit
from router.proxy.site import estimated_usd
from router.refusal import Refusal

from .bridge import Bridge
from .frames import error, event
from .notes import Note

log = logging.getLogger("realtime.session")
Say = Callable[[bytes], None]


class Books:
    """Of one session. `down` tells the client something; `cancel` takes a response back at the upstream."""

    def __init__(self, studio: Studio, account: Account, bridge: Bridge, *, down: Say, cancel: Say) -> None:
        self._studio = studio
        self._account = account
        self._bridge = bridge
        self._down = down
        self._cancel = cancel
        self._permits: dict[str, Permit] = {}
        self._prices: dict[str, Prices | None] = {}  # of who makes a response
        self._over: dict[str, Note] = {}  # done before they were admitted
        self._stopped_s: float | None = None  # when the user stopped speaking
        self._started_s: float | None = None
        self._first_audio_ms: int | None = None
        self.group: asyncio.TaskGroup | None = None
        self.odd = 0  # frames that were none, or answered nothing

    def note(self, note: Note) -> None:
        """Something has happened."""
        now_s = self._studio.clock()
        match note.what:
            case "stopped":
                self._stopped_s = now_s
            case "started":
                self._started_s = now_s
            case "sounded":
                self._sounded(now_s)
            case "began" if self.group is not None:
                serving = self._bridge.serving
                self._prices[note.response_id] = serving.prices if serving is not None else None
                self.group.create_task(self._admit(note.response_id))
            case "done":
                self._done(note, now_s)
            case "odd":
                self.odd += 1

    def close(self) -> None:
        """The session is over: what is still being said costs what such an answer does, as if it had ended."""
        for response_id, permit in self._permits.items():
            self._settle(permit, response_id, None)
        self._permits = {}
        if self.odd:
            fields = {"session_id": self._account.session_id, "count": self.odd}
            log.warning("frames of the upstream were passed over", extra={"fields": fields})

    def _sounded(self, now_s: float) -> None:
        if self._stopped_s is None:
            return
        seconds, self._stopped_s = now_s - self._stopped_s, None
        self._first_audio_ms = round(seconds * 1000)
        for observer in self._studio.observers:
            observer.on_stage("first_audio", seconds)
            observer.on_turn({"first_audio": (seconds, 0.0)})
            observer.on_first_audio(seconds, self._bridge.decision)

    async def _admit(self, response_id: str) -> None:
        try:
            permit = await self._account.admit({"response": response_id})
        except Refusal as refusal:
            fault = error(refusal.code or "rate_limit_exceeded", refusal.message, kind=refusal.kind)
            self._down(event("error", error=fault))
            self._cancel(event("response.cancel", response_id=response_id))
            return
        done = self._over.pop(response_id, None)
        if done is None:
            self._permits[response_id] = permit
        else:
            self._settle(permit, response_id, done)

    def _done(self, note: Note, now_s: float) -> None:
        self._bridge.used(note.usage)
        permit = self._permits.pop(note.response_id, None)
        if permit is not None:
            self._settle(permit, note.response_id, note)
        elif len(self._over) < 64:
            self._over[note.response_id] = note
        response = response_of(note)
        outcome = outcome_of(response)
        for observer in self._studio.observers:
            observer.on_reply(outcome)
        if outcome == "interrupted" and self._started_s is not None:
            for observer in self._studio.observers:
                observer.on_interruption(now_s - self._started_s)
        self._started_s = None
        fields: dict[str, Any] = {
            "session_id": self._account.session_id,
            "response_id": note.response_id,
            "served": self._bridge.target,
            "outcome": outcome,
            **note.usage,
        }
        if self._first_audio_ms is not None:
            fields["first_audio_ms"], self._first_audio_ms = self._first_audio_ms, None
        log.info("turn", extra={"fields": fields})

    def _settle(self, permit: Permit, response_id: str, done: Note | None) -> None:
        """Book what a response used: nothing when it said nothing, an estimate when it was cut before it told."""
        prices = self._prices.pop(response_id, None)
        tokens = tokens_of(done.usage) if done is not None else None
        if tokens is not None:
            permit.settle(tokens=tokens.input + tokens.output, cost_usd=cost_usd(prices, tokens))
        elif done is None or response_of(done).get("output"):
            permit.settle(tokens=None, cost_usd=estimated_usd(prices))
        else:
            permit.settle(tokens=0, cost_usd=0.0)
        permit.release()


def response_of(note: Note) -> Mapping[str, Any]:
    """The response that is done."""
    response = note.wire.get("response")
    return response if isinstance(response, dict) else {}


def outcome_of(response: Mapping[str, Any]) -> str:
    """How a response of the wire ended, as one of `realtime.outcomes.OUTCOMES`."""
    status, details, output = response.get("status"), response.get("status_details"), response.get("output")
    if status == "cancelled":
        reason = details.get("reason") if isinstance(details, dict) else None
        return "interrupted" if reason == "turn_detected" else "cancelled"
    if status in ("failed", "incomplete"):
        return str(status)
    items = output if isinstance(output, list) else []
    if any(isinstance(item, dict) and item.get("type") == "function_call" for item in items):
        return "tool"
    return "answered" if items else "empty"
