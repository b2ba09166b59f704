"""From a configuration to the state of a router: the table that decides and an upstream per provider."""

from collections.abc import Mapping
from pathlib import Path

from .config import Config, load
from .router import State


def state_from(path: Path | None, environ: Mapping[str, str]) -> State:
    """Load and build. Raises ConfigError."""
    return build_state(load(path, environ))


def build_state(config: Config, before: State | None = None) -> State:
    """The state of a configuration. Raises ConfigError when a router or a provider cannot be built."""
    raise NotImplementedError
