"""The command line of the first floor. Each command's imports wait until it is called."""

from .app import app, main, version

__all__ = ["app", "main", "version"]
