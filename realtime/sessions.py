"""The sessions that a server has open, by key: for draining, and for limits per key."""

from typing import Protocol


class Drains(Protocol):
    """A session, as far as the end of the server is concerned."""

    def drain(self) -> None:
        """The server wants to end."""
        ...


class Sessions:
    """Those of one server."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, set[Drains]] = {}

    def count(self, tenant: str) -> int:
        """How many sessions a key has open."""
        return len(self._by_tenant.get(tenant, ()))

    def add(self, tenant: str, session: Drains) -> None:
        """A session begins."""
        self._by_tenant.setdefault(tenant, set()).add(session)

    def remove(self, tenant: str, session: Drains) -> None:
        """A session has ended."""
        mine = self._by_tenant.get(tenant, set())
        mine.discard(session)
        if not mine:
            self._by_tenant.pop(tenant, None)

    def drain(self) -> None:
        """Tell all of them."""
        for mine in list(self._by_tenant.values()):
            for session in list(mine):
                session.drain()
