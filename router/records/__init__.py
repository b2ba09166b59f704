"""What is remembered of requests: a ring of recent ones in memory, and rows on disk for analysis. Never a prompt."""

from .recent import Recent, shown
from .rows import hashed_unit
from .sqlite import SqliteRecords, open_records

__all__ = ["Recent", "SqliteRecords", "hashed_unit", "open_records", "shown"]
