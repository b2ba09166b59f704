"""What is remembered of requests: a ring of recent ones in memory, and rows on disk for analysis. Never a prompt."""

from .addresses import open_records, passwords_of
from .ledger import Ledger
from .outcomes import Outcomes
from .recent import Recent, shown
from .rows import hashed_unit
from .sqlite import SqliteStore

__all__ = ["Ledger", "Outcomes", "Recent", "SqliteStore", "hashed_unit", "open_records", "passwords_of", "shown"]
