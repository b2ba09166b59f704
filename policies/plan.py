"""The fallback walk: which target to try next, given everything that has been tried.

`Plan.next_step(attempts)` is pure; the dispatcher is one loop over it. The attempts record is the input of the next
step, so the record cannot be wrong without the behaviour being wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from .attempt import Attempt
from .frozen import frozen
from .outcome import Outcome
from .target import Target


@frozen
class Timeouts:
    """Limits of one attempt, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 10.0
    idle_s: float = 10.0
    total_s: float = 600.0
    answer_s: float = 90.0  # first byte of an answer that is not streamed: it has no first token to wait for


@frozen
class Hedge:
    """A second call beside a slow first one: after so many seconds, for at most this share of a pool's requests."""

    after_s: float
    max_extra: float = 0.05


@frozen
class Limits:
    """Limits of one request: attempts, deadline, what to do on interruption."""

    timeouts: Timeouts = Timeouts()
    max_attempts: int = 3
    retry_budget: float = 0.2
    retry_same: int = 0  # retries of one 5xx on the same target before falling back
    wait_for_retry_after_s: float = 0.0  # wait for a short Retry-After on the same target instead of falling back
    on_interrupt: str = "error"  # error | continue
    first_token_s: float | None = None  # fallback.ttft_timeout: holds while another candidate is left
    hedge: Hedge | None = None


@frozen
class Candidate:
    """A target in order of preference; `skipped` says why it will not be tried (cool-down, capability, ignore)."""

    target: Target
    skipped: str | None = None
    once: bool = False  # a probe, or it rests too and somebody must be tried: it is asked once and not again


@frozen
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
    BUDGET = "budget"  # the pool's retry budget is used up
    CANCELLED = "cancelled"
    EMPTY = "empty"  # nothing to try at all


@frozen
class Stop:
    """The walk is over."""

    reason: StopReason


RESTING = "resting"  # the word in Candidate.skipped for a cool-down: only these may be tried when nothing else is left
SOLE_WAIT_S = (
    10.0  # the longest Retry-After we sit out for a target without alternative; longer ones the client is told
)
BACKOFF_S = 0.2  # of a retry on the same target: doubled each time, full jitter, capped
BACKOFF_CAP_S = 2.0


@frozen
class Plan:
    """Ordered intent for one request. `started_s` anchors the deadline over all attempts."""

    candidates: tuple[Candidate, ...]
    limits: Limits = Limits()
    started_s: float = 0.0

    def next_step(
        self, attempts: Sequence[Attempt], *, retries_left: int | None = None, jitter: float = 0.5
    ) -> Try | Stop:
        """The next call to make, or why there is none.

        `retries_left` is what the pool's retry budget allows now (None: unlimited); the first fallback is free of it,
        so that one dead target never costs an answer. `jitter` in [0, 1) spreads retries on the same target.
        """
        if not attempts and self.limits.first_token_s is None:  # the usual beginning
            for candidate in self.candidates:
                if candidate.skipped is None:
                    return Try(candidate.target, self.limits.timeouts)
        usable = self.usable()
        if not usable:
            return Stop(StopReason.EMPTY)
        if not attempts:
            return self._try(usable[0], (), len(usable) > 1, 0.0)
        last = attempts[-1]
        stop = self._stopped(last, attempts)
        if stop is not None:
            return Stop(stop)
        tried = {attempt.target.name for attempt in attempts}
        left = [target for target in usable if target.name not in tried]
        wait_s = self._again(last, attempts, jitter, others=len(usable) - 1, left=len(left))
        if wait_s is None and not left:
            return Stop(StopReason.SPENT)
        if retries_left is not None and retries_left <= 0 and (wait_s is not None or len(attempts) > 1):
            return Stop(StopReason.BUDGET)
        if wait_s is not None:
            return self._try(last.target, attempts, bool(left), wait_s)
        return self._try(left[0], attempts, len(left) > 1, 0.0)

    def hedge_step(self, attempts: Sequence[Attempt], running: Target, now_s: float) -> Try | None:
        """The call that may race the running one, or None: another target, within `max_attempts`, before the commit.

        A resting target, and one that is being probed, never serves as a hedge.
        """
        left_s = self.started_s + self.limits.timeouts.total_s - now_s
        if len(attempts) + 2 > self.limits.max_attempts or left_s <= 0 or any(a.committed for a in attempts):
            return None
        tried = {running.name, *(attempt.target.name for attempt in attempts)}
        other = next(
            (c.target for c in self.candidates if c.skipped is None and not c.once and c.target.name not in tried), None
        )
        if other is None:
            return None
        timeouts = self.limits.timeouts
        return Try(
            other,
            replace(
                timeouts,
                first_token_s=min(timeouts.first_token_s, left_s),
                total_s=left_s,
                answer_s=min(timeouts.answer_s, left_s),
            ),
        )

    def usable(self) -> tuple[Target, ...]:
        """Targets that may be tried, best first. When all that is left rests, the resting are tried: never none."""
        usable = tuple([c.target for c in self.candidates if c.skipped is None])
        return usable or tuple([c.target for c in self.candidates if c.skipped == RESTING])

    def _stopped(self, last: Attempt, attempts: Sequence[Attempt]) -> StopReason | None:
        if last.success:
            return StopReason.ANSWERED
        if last.outcome is Outcome.CANCELLED_BY_CLIENT:
            return StopReason.CANCELLED
        if last.outcome is Outcome.DEADLINE or self._remaining_s(last) <= 0:
            return StopReason.DEADLINE
        if any(attempt.committed for attempt in attempts):
            if self.limits.on_interrupt != "continue":
                return StopReason.FINAL
        elif not last.rule.fall_back:
            return StopReason.FINAL
        return StopReason.SPENT if len(attempts) >= self.limits.max_attempts else None

    def _again(
        self, last: Attempt, attempts: Sequence[Attempt], jitter: float, *, others: int, left: int
    ) -> float | None:
        """How long to wait before trying the same target again, or None for not at all.

        A repeat never takes the place of a target that has not been asked.
        """
        sole = others == 0
        earlier = sum(attempt.target.name == last.target.name for attempt in attempts) - 1
        if last.credential_type == "byok" and last.rule.rest_s > 0.0:
            return 0.0  # the caller's own key or quota failed: once more with the configured one
        if earlier == 0 and last.prefilled and last.outcome in (Outcome.UNSUPPORTED_PARAM, Outcome.BAD_REQUEST):
            return 0.0  # it will not go on from somebody else's words: ask it for the whole answer
        if any(candidate.once and candidate.target.name == last.target.name for candidate in self.candidates):
            return None
        again = last.rule.again
        if again == "wait":
            asked_s = last.retry_after_s
            allowed_s = max(self.limits.wait_for_retry_after_s, SOLE_WAIT_S if sole else 0.0)
            fits = asked_s is not None and asked_s <= allowed_s and asked_s < self._remaining_s(last)
            return asked_s if fits and earlier < 1 else None
        retries = max(self.limits.retry_same, 1 if sole else 0)
        crowded = left > 0 and len(attempts) + left >= self.limits.max_attempts
        if again == "never" or earlier >= retries or crowded:
            return None
        wait_s = min(BACKOFF_CAP_S, BACKOFF_S * 2.0**earlier) * jitter
        return wait_s if wait_s < self._remaining_s(last) else None

    def _remaining_s(self, last: Attempt) -> float:
        return self.started_s + self.limits.timeouts.total_s - last.ended_s

    def _try(self, target: Target, attempts: Sequence[Attempt], others: bool, wait_s: float) -> Try:  # noqa: FBT001
        """Limits of this attempt: within the deadline, and the caller's own first-token limit while others are left."""
        timeouts, own_s = self.limits.timeouts, self.limits.first_token_s
        if not others or len(attempts) + 1 >= self.limits.max_attempts:
            own_s = None
        if not attempts and own_s is None:
            return Try(target, timeouts)
        left_s = timeouts.total_s if not attempts else self._remaining_s(attempts[-1]) - wait_s
        first_s = left_s if own_s is None else min(left_s, own_s)
        limited = Timeouts(
            connect_s=min(timeouts.connect_s, first_s),
            first_token_s=min(timeouts.first_token_s, left_s) if own_s is None else first_s,
            idle_s=min(timeouts.idle_s, left_s),
            total_s=left_s,
            answer_s=min(timeouts.answer_s, first_s),
        )
        return Try(target, limited, wait_s)
