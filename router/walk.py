"""The one walk over a plan: every kind of call (JSON, stream, speech) asks here for its next step and reports here.

`open` walks until a call gets through and leaves that attempt open, `settle` ends it, `finish` ends the request.
Attempts, health, retry budget and observers are kept in step in this room and nowhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from policies import Attempt, Decision, ErrorDetail, Facts, Outcome, Stop, Try

from .clock import Clock
from .conversations import Conversations
from .deadline import Overtime
from .ending import refusal
from .health import Budgets, Health
from .hedge import Allowances, raced
from .observers import Observer, Trace, Tracing, heard
from .record import Record
from .upstreams.base import UpstreamFault
from .upstreams.slots import QUEUE_S

T = TypeVar("T")
CANCELLED = ErrorDetail("the client hung up", "cancelled", Outcome.CANCELLED_BY_CLIENT.value)


@dataclass(slots=True)
class Surroundings:
    """What all walks of one router share."""

    clock: Clock = field(default_factory=Clock)
    health: Health = field(default_factory=Health)
    budgets: Budgets = field(default_factory=Budgets)
    observers: Sequence[Observer] = ()
    tracing: Tracing | None = None
    hedges: Allowances = field(default_factory=Allowances)
    overtime: Overtime = field(default_factory=Overtime)
    conversations: Conversations = field(default_factory=Conversations)
    on_decision: tuple[Callable[..., None], ...] = ()
    on_exposure: tuple[Callable[..., None], ...] = ()
    on_attempt: tuple[Callable[..., None], ...] = ()
    on_finish: tuple[Callable[..., None], ...] = ()
    listening: int = 0  # for so many observers

    def listen(self) -> None:
        """Find out which observer listens to what; again when there are more."""
        self.listening = len(self.observers)
        self.on_decision = heard(self.observers, "on_decision")
        self.on_exposure = heard(self.observers, "on_exposure")
        self.on_attempt = heard(self.observers, "on_attempt")
        self.on_finish = heard(self.observers, "on_finish")


@dataclass(slots=True)
class _Open:
    """The attempt under way."""

    step: Try
    started_s: float
    credential_type: str
    first_token_s: float | None = None
    committed: bool = False
    prefilled: bool = False
    entered: bool = True  # it holds one of the target's slots


class Walk:
    """One request on its way through its plan. Used by one task; `finish` must be called in the end."""

    __slots__ = (
        "_around",
        "_exposed",
        "_finished",
        "_open",
        "_pool",
        "_race",
        "_refused",
        "_stage",
        "credential_type",
        "decision",
        "facts",
        "record",
        "trace",
    )

    def __init__(
        self, decision: Decision, facts: Facts, around: Surroundings, record: Record, *, stage: str | None = None
    ) -> None:
        self.decision = decision
        self.facts = facts
        self.record = record
        self.trace: Trace | None = None
        self.credential_type: Callable[[Try, Sequence[Attempt]], str] | None = None
        self._around = around
        self._stage = stage
        self._open: _Open | None = None
        self._finished = False
        self._exposed = False
        self._refused: int | None = None  # the status of the refusal that ended the walk
        self._pool = decision.router or decision.requested
        self._race: dict[asyncio.Task[Any], _Open] | None = None  # while two calls race: whose attempt is whose
        around.budgets.enter(self._pool)
        if (hedge := decision.plan.limits.hedge) is not None:
            around.hedges.earn(self._pool, hedge.max_extra)
        if around.listening != len(around.observers):
            around.listen()
        for tell in around.on_decision:
            tell(decision, facts)

    @property
    def now_s(self) -> float:
        """The clock of the attempts."""
        return self._around.clock.now()

    @property
    def running_s(self) -> float:
        """How long the open attempt has been running; 0 without one."""
        return self.now_s - self._open.started_s if self._open is not None else 0.0

    @property
    def deadline_s(self) -> float:
        """When the request must be over, on the same clock."""
        plan = self.decision.plan
        return plan.started_s + plan.limits.timeouts.total_s

    def next(self) -> Try | Stop:
        """The plan's next step after what has been tried."""
        plan, attempts = self.decision.plan, self.record.attempts
        if not attempts:
            return plan.next_step(attempts)
        left = self._around.budgets.left(self._pool, plan.limits.retry_budget)
        return plan.next_step(attempts, retries_left=left, jitter=self._around.clock.chance())

    def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Await work of the open attempt. Raises TimeoutError when it takes longer."""
        return self._around.overtime.within(seconds, work)

    async def open(self, call: Callable[[Try], Awaitable[T]], discard: Callable[[T], None] | None = None) -> T:
        """Try target after target until a call returns; its attempt stays open: `settle` it.

        `call` raises UpstreamFault when it fails. Raises Refusal when the plan is spent. Being cancelled is recorded.
        `discard` lets go of a value that came too late; only calls that have it may be hedged.
        """
        hedge = self.decision.plan.limits.hedge
        while isinstance(step := self.next(), Try):
            if step.wait_s > 0.0:
                await self._around.clock.sleep(step.wait_s)
            self.begin(step)
            try:
                if self._open is not None and not self._open.entered:
                    await self._turn(self._open)
                if hedge is None or discard is None:
                    return await call(step)
                return await raced(self, call, step, hedge.after_s, discard)
            except UpstreamFault as fault:
                self.fail(fault)
            except asyncio.CancelledError:
                self.settle(Outcome.CANCELLED_BY_CLIENT, error=CANCELLED)
                raise
            except BaseException:
                self.settle(Outcome.OTHER, error=ErrorDetail("the router failed on this attempt", "server_error"))
                raise
        refused = refusal(self.record, self.decision.plan, step)
        self._refused = refused.status
        raise refused

    async def run(self, call: Callable[[Try], Awaitable[T]]) -> T:
        """`open` for calls that are over when they return: settles the attempt as a success, finishes the request."""
        try:
            value = await self.open(call)
            self.settle(Outcome.SUCCESS)
        finally:
            self.finish()
        return value

    def begin(self, step: Try) -> None:
        """A call goes out."""
        around, attempts = self._around, self.record.attempts
        now_s = around.clock.now()
        if attempts:
            around.budgets.retry(self._pool)
        credential = "system" if self.credential_type is None else self.credential_type(step, attempts)
        self._open = _Open(step, now_s, credential)
        self._open.entered = around.health.begin(step.target.name, now_s)
        if self.trace is not None:
            self.trace.begin(step)
        if not self._exposed and self.decision.router is not None:
            self._exposed = True
            for tell in around.on_exposure:
                tell(self.decision, self.facts)

    async def _turn(self, waiting: _Open) -> None:
        """Wait until the target takes one more call, as long as for a full provider."""
        step = waiting.step
        await self._around.health.turn(step.target.name, min(QUEUE_S, step.timeouts.first_token_s / 2))
        waiting.entered = True

    def first_token(self, *, committed: bool = False) -> None:
        """The open attempt has begun to answer; `committed`: the client is handed it now."""
        attempt = self._open if self._race is None else self._racing()
        if attempt is not None and attempt.first_token_s is None:
            attempt.first_token_s = self.now_s  # of a whole answer: its first byte, which proves nothing yet
            attempt.committed = committed
            if committed:
                self._around.health.proved(attempt.step.target.name, attempt.first_token_s)

    def prefill(self) -> None:
        """The open attempt is asked to go on from the text of an attempt before."""
        if self._open is not None:  # what is continued is never hedged
            self._open.prefilled = True

    # --- two calls at once: see `hedge` ------------------------------------------------------------------------------

    def hedge(self, step: Try) -> Try | None:
        """The call that may race the running one now, paid for; None when the plan or the budget says no."""
        other = self.decision.plan.hedge_step(self.record.attempts, step.target, self.now_s)
        return other if other is not None and self._around.hedges.spend(self._pool) else None

    def racing(self, task: asyncio.Task[Any], step: Try | None = None) -> None:
        """The open attempt belongs to this task; with a step, a further one is begun for it."""
        if step is not None:
            if not self.record.attempts:
                self._around.budgets.retry(self._pool)
            self.begin(step)
        if self._open is not None:
            self._race = {**(self._race or {}), task: self._open}

    def won(self, task: asyncio.Task[Any]) -> None:
        """This task's attempt is the open one from here on."""
        self._take(task)
        self._race = None

    def lost(self, task: asyncio.Task[Any], error: ErrorDetail) -> None:
        """This task's attempt was overtaken."""
        self._take(task)
        if self._open is not None:
            self._open.committed = False
        self.settle(Outcome.HEDGE_LOST, error=error)

    def failed(self, task: asyncio.Task[Any], fault: UpstreamFault) -> None:
        """This task's attempt failed."""
        self._take(task)
        self.fail(fault)

    def race_over(self) -> None:
        """Whatever still races was cancelled."""
        left, self._race = self._race or {}, None
        for attempt in left.values():
            self._open = attempt
            self.settle(Outcome.CANCELLED_BY_CLIENT, error=CANCELLED)

    def _take(self, task: asyncio.Task[Any]) -> None:
        self._open = self._race.pop(task, None) if self._race else None

    def _racing(self) -> _Open | None:
        task = asyncio.current_task()
        return self._race.get(task) if self._race and task is not None else None

    def fail(self, fault: UpstreamFault) -> None:
        """The open attempt failed."""
        self.settle(fault.outcome, fault.status_code, error=fault.error, retry_after_s=fault.retry_after_s)

    def settle(
        self,
        outcome: Outcome,
        status_code: int | None = None,
        *,
        error: ErrorDetail | None = None,
        retry_after_s: float | None = None,
        tokens: int | None = None,
    ) -> None:
        """End the open attempt. Without one, nothing happens."""
        ended, self._open = self._open, None
        if ended is None:
            return
        attempt = Attempt(
            ended.step.target,
            outcome,
            ended.started_s,
            self.now_s,
            ended.first_token_s,
            200 if status_code is None and outcome is Outcome.SUCCESS else status_code,
            error,
            retry_after_s,
            ended.committed,
            ended.credential_type,
            ended.prefilled,
            self._stage,
        )
        around = self._around
        self.record.attempts.append(attempt)
        around.health.end(attempt, jitter=around.clock.chance(), tokens=tokens, entered=ended.entered)
        if self.trace is not None:
            self.trace.settle(attempt)
        for tell in around.on_attempt:
            tell(attempt, self.decision)

    def stop_clock(self) -> None:
        """The answer is complete: its total time is known from here on."""
        self.record.ended_s = self.now_s

    def finish(self, status: int | None = None) -> None:
        """The request is over, with this HTTP status (default: what its attempts say). May be repeated."""
        if self._finished:
            return
        self._finished = True
        if self._race:
            self.race_over()
        self.settle(Outcome.CANCELLED_BY_CLIENT, error=CANCELLED)
        record = self.record
        attempts = record.attempts
        last = attempts[-1] if attempts else None
        if record.ended_s is None:
            record.ended_s = self.now_s
        record.outcome = last.outcome if last else Outcome.CANCELLED_BY_CLIENT
        record.status = status if status is not None else self._status(last)
        self._around.budgets.leave(self._pool, retries=max(0, len(attempts) - 1))
        if record.conversation is not None and last is not None and last.success:
            self._around.conversations.answered(record.conversation, last.target.name, record.ended_s)
        if self.trace is not None:
            self.trace.finish(record)
        for tell in self._around.on_finish:
            tell(record)

    def _status(self, last: Attempt | None) -> int:
        if last is None or last.outcome is Outcome.CANCELLED_BY_CLIENT:
            return 499
        return 200 if last.success else self._refused or 499
