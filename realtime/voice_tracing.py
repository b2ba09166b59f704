"""Voice turns told to tracing: the whole turn and its stages as spans of the session's trace."""

from collections.abc import Mapping
from typing import Protocol

from policies import Decision


class Turns(Protocol):
    """Where turns are traced."""

    def turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """A turn: stage -> begin and end, in seconds ago."""
        ...


class VoiceTracing:
    """A `TurnObserver` that passes whole turns on."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def on_turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """A turn was answered."""
        self._turns.turn(stages)

    def on_stage(self, stage: str, seconds: float) -> None:
        """Told with the whole turn."""

    def on_first_audio(self, seconds: float, decision: Decision | None) -> None:
        """Told with the whole turn."""

    def on_reply(self, outcome: str) -> None:
        """Counted elsewhere."""

    def on_interruption(self, seconds: float) -> None:
        """Counted elsewhere."""

    def on_speculation(self, outcome: str) -> None:
        """Counted elsewhere."""

    def on_sessions(self, change: int) -> None:
        """The session's span is opened around its connection."""
