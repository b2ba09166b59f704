"""What a scripted upstream saw: the witness that `metadata.attempts` is compared with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from .script import Asked

_MOST = 100_000


@dataclass(slots=True)
class Seen:
    """One call. `time` is Unix time; the rest says what was asked and how it went."""

    time: float
    model: str
    fault: str
    path: str = ""
    stream: bool = False
    call: int = 1
    status: int | None = None
    fields: list[str] = field(default_factory=list)  # top-level names of the body
    headers: dict[str, str] = field(default_factory=dict)  # only when bodies are kept
    document: Mapping[str, Any] | None = None  # only when bodies are kept
    completed: bool = False
    client_gone: bool = False
    ended: float | None = None

    @property
    def under_way(self) -> bool:
        """It is being answered."""
        return self.status == 200 and not (self.completed or self.client_gone or self.ended is not None)

    def as_json(self) -> dict[str, Any]:
        """As GET /log shows it."""
        return asdict(self)


class Journal:
    """All calls in order, and how often each model was called."""

    def __init__(self, *, keep_bodies: bool = False) -> None:
        self.keep_bodies = keep_bodies
        self.seen: list[Seen] = []
        self._counts: dict[str, count[int]] = {}
        self._first: dict[str, float] = {}

    def clear(self) -> None:
        """Forget everything; `…-once` faults begin anew."""
        self.seen.clear()
        self._counts.clear()
        self._first.clear()

    def numbered(self, asked: Asked, now: float) -> tuple[int, float]:
        """Which call of its model this is, and the seconds since the first."""
        first = self._first.setdefault(asked.model, now)
        return next(self._counts.setdefault(asked.model, count(1))), now - first

    def under_way(self, model: str) -> int:
        """How many calls of this model name are being answered."""
        return sum(seen.under_way for seen in self.seen if seen.model == model)

    def models(self) -> list[str]:
        """The models called, in order."""
        return [seen.model for seen in self.seen]

    def add(self, seen: Seen) -> None:
        """Write a call down; beyond 100,000 calls the older half is forgotten."""
        if len(self.seen) >= _MOST:
            del self.seen[: _MOST // 2]
        self.seen.append(seen)
