"""The record of one request: its decision, its attempts, and how it ended; printed as `metadata`.

The attempts are the very list that the plan's next step is computed from, so the record cannot be wrong without the
behaviour being wrong. Fields without a value are left out, never null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from policies import Attempt, Decision, Outcome

CODES = (("prompt variable ", "prompt_variable_missing"), ("web_search: ", "web_search_unavailable"))


@dataclass(slots=True)
class Warned:
    """Something the caller should know about an answer that was given all the same."""

    code: str
    message: str
    count: int = 1  # how often it happened


@dataclass(slots=True)
class Record:
    """One request. Times are seconds on the router's monotonic clock; `wall_s` is Unix time of the start."""

    generation_id: str
    decision: Decision
    started_s: float
    wall_s: float = 0.0
    request_id: str | None = None
    key_id: str | None = None
    kind: str = "chat"  # chat | embeddings | moderations | audio | images | completions | stt | tts | realtime
    streamed: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    ended_s: float | None = None
    status: int | None = None  # HTTP status of the answer; None while it runs
    outcome: Outcome | None = None  # how the request ended: that of its last attempt; None while it runs
    usage: Mapping[str, Any] | None = None  # OpenAI's usage object as the provider sent it
    warnings: list[Warned] = field(default_factory=list)
    trace_id: str | None = None  # 32 hexadecimal digits where the request is traced and sampled
    inferred: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # variables guessed for a condition
    conversation: bytes | None = None  # stands for it where it matters who answered it; never shown

    @property
    def served(self) -> Attempt | None:
        """The attempt that answered."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.success else None

    def metadata(self) -> dict[str, Any]:
        """What the caller sees: attempts, ids, times, decision, warnings."""
        decision = self.decision
        shown: dict[str, Any] = {
            "attempts": [shown_attempt(attempt) for attempt in self.attempts],
            "generation_id": self.generation_id,
            "reasoning": self.reasoning(),
        }
        if self.ended_s is not None:
            shown["total_duration_ms"] = _ms(self.ended_s - self.started_s)
        if decision.router is not None:
            shown["router"] = decision.router
            if decision.route_id is not None:
                shown["route_id"] = decision.route_id
            if decision.variant_id is not None:
                shown["variant_id"] = decision.variant_id
            shown["sticky"] = decision.sticky
            if decision.experiment is not None:
                shown["experiment"] = decision.experiment
        if self.inferred:
            shown["inferred"] = self.inferred
        if self.warnings or decision.warnings:
            warnings = [{"code": w.code, "message": w.message} for w in self.warnings]
            shown["warnings"] = warnings + [{"code": _code(text), "message": text} for text in decision.warnings]
        return shown

    def reasoning(self) -> str:
        """One sentence: why this model, and what came of it."""
        decision = self.decision
        last = self.attempts[-1] if self.attempts else None
        if decision.router is not None:
            why = _routed(decision.router, decision.route_id, decision.variant_id)
        elif decision.reason == "specified":
            why = f"Using specified model: {decision.requested!r}"
        else:
            why = f"Chosen for {decision.requested!r} by {decision.reason.value}: {decision.model!r}"
        if last is None:
            return f"{why} - nothing was called"
        if not last.success:
            return f"{why} - {last.outcome.value} after {len(self.attempts)} attempt(s)"
        if len(self.attempts) == 1:
            first = next(iter(decision.plan.candidates), None)
            if first is None or first.skipped is None:
                return f"{why} - success"
            return f"{why} - success with {last.target.name}, {first.target.name} passed over ({first.skipped})"
        failed = ", ".join(f"{a.target.name} ({a.outcome.value})" for a in self.attempts[:-1])
        return f"{why} - success with {last.target.name} after {failed}"


@lru_cache(1024)
def _routed(router: str, route_id: str | None, variant_id: str | None) -> str:
    return f"Router {router!r}, route {route_id!r}, variant {variant_id!r}"


def shown_attempt(attempt: Attempt) -> dict[str, Any]:
    """One attempt as the caller sees it."""
    shown: dict[str, Any] = {
        "model": attempt.target.name,
        "provider": attempt.target.provider,
        "success": attempt.outcome is Outcome.SUCCESS,
        "outcome": attempt.outcome._value_,
        "duration_ms": _ms(attempt.ended_s - attempt.started_s),
        "credential_type": attempt.credential_type,
    }
    if attempt.stage is not None:
        shown["stage"] = attempt.stage
    if attempt.status_code is not None:
        shown["status_code"] = attempt.status_code
    if attempt.first_token_s is not None:
        shown["time_to_first_token_ms"] = _ms(attempt.first_token_s - attempt.started_s)
    error = attempt.error
    if error is not None:
        shown["error"] = {"type": error.type, "message": error.message}
        if error.code is not None:
            shown["error"]["code"] = error.code
    return shown


def _code(warning: str) -> str:
    """The code of a decision's warning."""
    return next((code for beginning, code in CODES if warning.startswith(beginning)), "decision")


def _ms(seconds: float) -> int:
    return max(0, int(seconds * 1000 + 0.5))
