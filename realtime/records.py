"""Attempts of a voice session as the client sees them: the router's own record; each says its stage."""

from router.record import Record

from .protocol import Attempts


def attempts_of(record: Record | None) -> Attempts:
    """The attempts of one routed call (none when no plan was made)."""
    return () if record is None else tuple(record.metadata()["attempts"])
