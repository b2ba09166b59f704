"""First floor: makes the calls that were decided, and serves them."""

from .clock import Clock
from .observers import Observer, Silent
from .record import Record
from .refusal import Refusal
from .relay import Stream
from .router import Caller, Completion, Flow, Parcel, Router, State, Table
from .walk import Walk

__all__ = [
    "Caller",
    "Clock",
    "Completion",
    "Flow",
    "Observer",
    "Parcel",
    "Record",
    "Refusal",
    "Router",
    "Silent",
    "State",
    "Stream",
    "Table",
    "Walk",
]
