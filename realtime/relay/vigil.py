"""The clocks of a relayed session: how long it may last, how long its client may be quiet, how long an upstream may.

An upstream that owes nothing may be silent for ever; one that owes a response is asked for a word within its time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from realtime.studio import Studio

Expire = Callable[[str, str, int], None]


@dataclass(frozen=True, slots=True)
class Owed:
    """What the vigil asks: whether a response is due, whether we hold it up ourselves, how long it may take."""

    due: Callable[[], bool]
    held_up: Callable[[], bool]
    patience_s: Callable[[], float]


class Vigil:
    """Of one session. `expire(code, message, close code)` ends it, `stalled(seconds)` gives its upstream up."""

    def __init__(self, studio: Studio, owed: Owed, *, expire: Expire, stalled: Callable[[float], None]) -> None:
        self._studio = studio
        self._owed = owed
        self._expire = expire
        self._stalled = stalled
        self._heard_s = self._client_s = studio.clock()
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

    def expect(self) -> None:
        """See to it that what is due is not waited for without an end."""
        if self._stall is None and self._owed.due():
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
        if not self._owed.due():
            return
        patience_s = self._owed.patience_s()
        left_s = patience_s - (self._studio.clock() - self._heard_s)
        if self._owed.held_up() or left_s > 0.01:
            self._stall = asyncio.get_running_loop().call_later(max(0.05, left_s), self._look_for_upstream)
        else:
            self._stalled(patience_s)
