"""First floor: makes the calls that were decided, and serves them."""

from .observers import Observer, Silent
from .record import Record
from .refusal import Refusal
from .router import Caller, Completion, Router, State, Stream, Table

__all__ = ["Caller", "Completion", "Observer", "Record", "Refusal", "Router", "Silent", "State", "Stream", "Table"]
