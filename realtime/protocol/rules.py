"""What differs between endpoints, as one frozen value: the machine knows no dialects, only these switches."""

from collections.abc import Callable
from dataclasses import dataclass

from .client_events import Fault
from .settings import SessionSettings


def accept_all(_current: SessionSettings, _wanted: SessionSettings) -> Fault | None:
    """Refuse nothing."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """Switches of an endpoint, and its limits.

    `refuse(current, wanted)` is asked before settings change (unknown model, transcriber, voice, prompt…) and must be
    pure and quick; a `Fault` refuses the whole update. Times in milliseconds; 0 switches a timer off.
    """

    locks_model: bool = True
    locks_voice: bool = True
    both_modalities: bool = False
    auto_tool_response: bool = False
    tells_suggestions: bool = False
    owns_playback: bool = False
    session_limit_ms: float = 3_600_000
    quiet_limit_ms: float = 900_000
    ping_interval_ms: float = 0
    context_limit_tokens: int = 28_672
    refuse: Callable[[SessionSettings, SessionSettings], Fault | None] = accept_all
