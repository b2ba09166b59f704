"""The OpenAI-compatible proxy: raw ASGI on the hot paths, FastAPI behind them."""

from .app import Access, App, Caps, access_of, create_app
from .auth import Authenticator, Key, OpenBindingError, Principal, check_binding
from .exchange import Exchange
from .front import AsgiApp, Endpoint
from .limits import Allowance, Limiter, LocalLimiter, Permit
from .models import Listing
from .ops import Gauges, RecordBook
from .routers import MemoryShelf, Shelf

__all__ = [
    "Access",
    "Allowance",
    "App",
    "AsgiApp",
    "Authenticator",
    "Caps",
    "Endpoint",
    "Exchange",
    "Gauges",
    "Key",
    "Limiter",
    "Listing",
    "LocalLimiter",
    "MemoryShelf",
    "OpenBindingError",
    "Permit",
    "Principal",
    "RecordBook",
    "Shelf",
    "access_of",
    "check_binding",
    "create_app",
]
