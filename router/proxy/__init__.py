"""The OpenAI-compatible proxy: raw ASGI on the hot paths, FastAPI behind them."""

from .app import Access, App, Caps, create_app
from .auth import Authenticator, Key, OpenBindingError, Principal, check_binding
from .front import AsgiApp
from .limits import Allowance, Limiter, LocalLimiter, Permit
from .models import Listing
from .ops import Gauges, RecordBook
from .routers import Shelf

__all__ = [
    "Access",
    "Allowance",
    "App",
    "AsgiApp",
    "Authenticator",
    "Caps",
    "Gauges",
    "Key",
    "Limiter",
    "Listing",
    "LocalLimiter",
    "OpenBindingError",
    "Permit",
    "Principal",
    "RecordBook",
    "Shelf",
    "check_binding",
    "create_app",
]
