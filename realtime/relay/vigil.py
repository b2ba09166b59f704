"""The clocks of a relayed session: how long it may last, how long its client may be quiet, how long an upstream may.

An upstream that owes nothing may be silent for ever; one that owes a response is asked for a word within its time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from policies import Outcome
from realtime.studio import Studio
from router.upstreams.base import UpstreamFault

Expire = Callable[[str, str, int], None]


@dataclass(frozen=True, slots=True)
class Owed:
    """What the vigil asks: whether a response is due, whether we hold it up ourselves, how long it may take."""

    due: Callable[[], bool]
    held_up: Callable[[], bool]
    patience_s: Callable[[], float]


class Vigil:
    """Of one session. `expire(code, message, close code)` ends it, `stalled(fault)` gives its upstream up."""

    def __init__(self, studio: Studio, owed: Owed, *, expire: Expire, stalled: Callable[[UpstreamFault], None]) -> None:
        self._studio = studio
        self._owed = owed
        self._expire = expire
        self._stalled = stalled
        self._heard_s = self._client_s = studio.clock()
        self._sending_s: float | None = None  # since when the upstream has not taken what it is sent
        self._ends: asyncio.TimerHandle | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The session begins."""
        limits, loop = self._studio.settings.limits, asyncio.get_running_loop()
        minutes = limits.session_minutes
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        self._ends = loop.call_later(minutes * 60, self._expire, "session_expired", message, 1001)
        self._quiet = loop.call_later(limits.idle_minutes * 60, self._look_for_client)

    def end(self) -> None:
        """The session is over."""
        for timer in (self._ends, self._quiet, self._stall):
            if timer is not None:
                timer.cancel()
        self._stall = None

    def client_spoke(self) -> None:
        """A frame of the client's."""
        self._client_s = self._studio.clock()

    def upstream_spoke(self) -> None:
        """A frame of the upstream's, or a reason to wait for one from now on."""
        self._heard_s = self._studio.clock()

    def sending(self) -> None:
        """The upstream is given something."""
        self._sending_s = self._studio.clock()
        self.expect()

    def sent(self) -> None:
        """It has taken it."""
        self._sending_s = None

    def expect(self) -> None:
        """See to it that what is due is not waited for without an end."""
        if self._stall is None and (self._sending_s is not None or self._owed.due()):
            self._stall = asyncio.get_running_loop().call_later(self._owed.patience_s(), self._look_for_upstream)

    def _look_for_client(self) -> None:
        minutes = self._studio.settings.limits.idle_minutes
        left_s = minutes * 60 - (self._studio.clock() - self._client_s)
        if left_s > 0.001:
            self._quiet = asyncio.get_running_loop().call_later(left_s, self._look_for_client)
            return
        self._expire("session_idle_timeout", f"Nothing came from the client for {minutes:g} minutes.", 1000)

    def _look_for_upstream(self) -> None:
        self._stall = None
        now_s, patience_s = self._studio.clock(), self._owed.patience_s()
        waits = [] if self._sending_s is None else [(now_s - self._sending_s, Outcome.WRITE)]
        if self._owed.due():
            waits.append((0.0 if self._owed.held_up() else now_s - self._heard_s, Outcome.IDLE_TIMEOUT))
        if not waits:
            return
        longest_s, outcome = max(waits)
        if longest_s < patience_s - 0.01:
            left_s = max(0.05, patience_s - longest_s)
            self._stall = asyncio.get_running_loop().call_later(left_s, self._look_for_upstream)
            return
        why = "it read nothing" if outcome is Outcome.WRITE else "it owed a response and said nothing"
        self._stalled(UpstreamFault(outcome, f"{why} for {patience_s:g} s"))
