"""The fallback walk: which target to try next, given everything that has been tried.

`Plan.next_step(attempts)` is pure; the dispatcher is one loop over it. The attempts record is the input of the next
step, so the record cannot be wrong without the behaviour being wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .attempt import Attempt
from .target import Target


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 10.0
    idle_s: float = 10.0
    total_s: float = 600.0
    answer_s: float = 90.0  # first byte of an answer that is not streamed: it has no first token to wait for


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request: attempts, deadline, what to do on interruption."""

    timeouts: Timeouts = Timeouts()
    max_attempts: int = 3
    retry_budget: float = 0.2
    retry_same: int = 0  # retries of one 5xx on the same target before falling back
    wait_for_retry_after_s: float = 0.0  # wait for a short Retry-After on the same target instead of falling back
    on_interrupt: str = "error"  # error | continue
    first_token_s: float | None = None  # fallback.ttft_timeout: holds while another candidate is left


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target in order of preference; `skipped` says why it will not be tried (cool-down, capability, ignore)."""

    target: Target
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """Call this target now (after `wait_s`), within these limits."""

    target: Target
    timeouts: Timeouts
    wait_s: float = 0.0


class StopReason(StrEnum):
    """Why the walk ended."""

    ANSWERED = "answered"
    SPENT = "spent"  # no candidate left, or attempts used up
    FINAL = "final"  # the last outcome must not be tried elsewhere
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    EMPTY = "empty"  # nothing to try at all


@dataclass(frozen=True, slots=True)
class Stop:
    """The walk is over."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered intent for one request. `started_s` anchors the deadline over all attempts."""

    candidates: tuple[Candidate, ...]
    limits: Limits = Limits()
    started_s: float = 0.0

    def next_step(self, attempts: Sequence[Attempt]) -> Try | Stop:
        """The next call to make, or why there is none."""
        if attempts and attempts[-1].success:
            return Stop(StopReason.ANSWERED)
        usable = [candidate.target for candidate in self.candidates if candidate.skipped is None]
        if not usable:
            return Stop(StopReason.EMPTY)
        if len(attempts) >= min(self.limits.max_attempts, len(usable)):
            return Stop(StopReason.SPENT)
        return Try(usable[len(attempts)], self.limits.timeouts)
