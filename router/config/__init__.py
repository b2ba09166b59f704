"""Configuration: YAML and environment to one frozen value; unknown keys refused; a place in every message."""

from .findings import ConfigError, Finding
from .load import Config, RouterSource, load, load_router
from .models import Auth, Defaults, Key, Provider, Server, ServerFile
from .realtime import Realtime
from .router_file import RouterFile

__all__ = [
    "Auth",
    "Config",
    "ConfigError",
    "Defaults",
    "Finding",
    "Key",
    "Provider",
    "Realtime",
    "RouterFile",
    "RouterSource",
    "Server",
    "ServerFile",
    "load",
    "load_router",
]
