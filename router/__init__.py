"""First floor: makes the calls that were decided, and serves them.

The front door of the library: `from router import Router`. Names are looked up when they are first asked for, so that
`import router` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Clock
    from .config import ConfigError
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
    "ConfigError",
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

_ROOMS = {
    "Clock": "clock",
    "ConfigError": "config",
    "Observer": "observers",
    "Record": "record",
    "Refusal": "refusal",
    "Silent": "observers",
    "Stream": "relay",
    "Walk": "walk",
}


def __getattr__(name: str) -> object:
    """PEP 562: the room of a name is entered when the name is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_ROOMS.get(name, 'router')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
