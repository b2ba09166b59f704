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
    pure and quick; a `Fault` refuses the whole update. `early_partials` tells partial transcripts while the user still
    speaks, else they are kept until the item is there. `owns_playback`: the transport plays by itself (WebRTC, SIP).
    Times in milliseconds; 0 switches a timer off.
    """

    locks_model: bool = False
    locks_voice: bool = True
    early_partials: bool = False
    auto_tool_response: bool = False
    tells_suggestions: bool = False
    owns_playback: bool = False
    session_limit_ms: float = 3_600_000
    quiet_limit_ms: float = 900_000
    ping_interval_ms: float = 0
    context_limit_tokens: int = 28_672
    item_limit: int = 4096
    content_limit_bytes: int = 33_554_432  # of all items together
    side_response_limit: int = 16
    manual_audio_limit_ms: float = 600_000
    refuse: Callable[[SessionSettings, SessionSettings], Fault | None] = accept_all
