"""Saved routers over `/router/v1/routers`: the shelf they stand on, and operations as Inworld answers them.

Documents are in Inworld's nested spelling (camelCase at the top, snake_case inside); both spellings are read. Create
and update answer an operation that is already done, whose name can be polled for a while.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Shelf(Protocol):
    """Where saved routers stand. Documents are Inworld's JSON; saving makes them effective at once."""

    def names(self) -> Sequence[str]:
        """Every router, sorted."""
        ...

    def get(self, name: str) -> Mapping[str, Any] | None:
        """One router, or None."""
        ...

    def save(self, name: str, document: Mapping[str, Any]) -> None:
        """Check and take over a router. Raises Refusal 400 that names the place; then nothing has changed."""
        ...

    def delete(self, name: str) -> bool:
        """Take a router away; False when there was none."""
        ...
