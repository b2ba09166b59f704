"""Timers by name: at most one of each, told to the shell as effects; a timer that was replaced fires in vain."""

from enum import StrEnum

from .effects import CancelTimer, WakeAfter
from .state import SessionState


class Alarm(StrEnum):
    """What a timer is for."""

    IDLE = "idle"  # nobody says anything after a response
    QUIET = "quiet"  # the client sends nothing at all
    LIMIT = "limit"  # the session has lasted long enough
    PING = "ping"  # a sign of life is due


class Alarms:
    """The timers of one session."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._armed: dict[Alarm, str] = {}

    def arm(self, alarm: Alarm, delay_ms: float) -> None:
        """Wake after this time, instead of what was armed under the name."""
        self.disarm(alarm)
        timer_id = self._armed[alarm] = self._state.ids("timer")
        self._state.say(WakeAfter(alarm.value, timer_id, delay_ms))

    def disarm(self, alarm: Alarm) -> None:
        """Do not wake."""
        timer_id = self._armed.pop(alarm, None)
        if timer_id is not None:
            self._state.say(CancelTimer(timer_id))

    def disarm_all(self) -> None:
        """The session ends."""
        for alarm in list(self._armed):
            self.disarm(alarm)

    def due(self, timer_id: str) -> Alarm | None:
        """Which timer fired; None when it was replaced meanwhile."""
        for alarm, armed_id in self._armed.items():
            if armed_id == timer_id:
                del self._armed[alarm]
                return alarm
        return None
