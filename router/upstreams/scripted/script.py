"""What a script is: a status, headers, bytes and pauses in order, and how it ends. Pure values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Step = bytes | float  # bytes to send, or a pause in seconds (before scaling)
JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
FOREVER_S = 1e7


class End(StrEnum):
    """How a script ends."""

    CLEAN = "clean"  # complete; the connection may be used again
    STALE = "stale"  # complete, then the connection is closed without having said so
    CUT = "cut"  # FIN in the middle: the body's end never comes
    RESET = "reset"  # RST in the middle
    HANG = "hang"  # nothing more, the connection stays open


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as a script sees it. `number` is the parameter in the model's name (40 in `cut-40`)."""

    model: str
    kind: str = "chat"  # chat | embeddings | moderations | transcription | speech | images
    stream: bool = False
    number: int = 0
    call: int = 1  # first, second, … call of this very model name
    age_s: float = 0.0  # since the first call of this model name
    gap_s: float = 0.0  # between two deltas
    under_way: Callable[[], int] = int  # calls of this model name that are being answered
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prefill(self) -> str | None:
        """The text of a last assistant message, which the answer is asked to continue."""
        messages = self.document.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        if isinstance(last, Mapping) and last.get("role") == "assistant" and isinstance(last.get("content"), str):
            return str(last["content"])
        return None


@dataclass(frozen=True, slots=True)
class Script:
    """One reply. `head_s` passes before the status line; a `status` of None ends before any byte is sent."""

    steps: tuple[Step, ...] = ()
    status: int | None = 200
    headers: tuple[tuple[str, str], ...] = JSON
    head_s: float = 0.0
    end: End = End.CLEAN

    @property
    def content(self) -> bytes:
        """All its bytes."""
        return b"".join(step for step in self.steps if isinstance(step, bytes))
