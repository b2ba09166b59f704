"""How commands print: colours on a terminal, plain text in a pipe, errors on stderr."""

import json
from typing import Any

from rich.console import Console

from router.config import ConfigError


def console(*, stderr: bool = False) -> Console:
    """A console that obeys NO_COLOR and FORCE_COLOR."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def complain(error: ConfigError) -> int:
    """Print every finding with its line; the exit code."""
    console(stderr=True).print(error.render(), markup=False)
    return 1


def fail(message: str) -> int:
    """Print one error; the exit code."""
    console(stderr=True).print(f"error: {message}", markup=False)
    return 1


def refusal(status: int, text: str) -> str:
    """What a server said that refused: its message where it has the usual envelope, else what came."""
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = text[:200]
    return f"{status}: {message}"


def pairs(texts: tuple[str, ...]) -> dict[str, Any]:
    """`k=v` texts as metadata: JSON where it is JSON, else text. Raises ValueError naming what has no `=`."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ValueError(f"{text!r} is not KEY=VALUE, such as tier=vip")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found
