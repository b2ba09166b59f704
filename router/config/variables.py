"""The environment inside configuration: `${NAME}`, `${NAME:-default}`, `$${` for a literal `${`, and `NAME_FILE`.

Variables are put into scalars after parsing, so a value from the environment can never add keys. Where `NAME` is not
set but `NAME_FILE` is, the value is that file's text without the last line end (container secrets).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from .document import Node
from .findings import ConfigError, Finding, did_you_mean

MAX_SECRET_BYTES = 64 * 1024
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?")

_WHOLE = re.compile(r"\$\{[^}]*\}")


class MissingVariableError(Exception):
    """A reference that cannot be filled; the text says which and why."""


def lookup(name: str, environ: Mapping[str, str]) -> str | None:
    """The value of `name`, from the environment or from the file `NAME_FILE` names. Raises MissingVariableError."""
    value = environ.get(name)
    if value:
        return value
    if source := environ.get(f"{name}_FILE"):
        try:
            with Path(source).open("rb") as stream:
                return stream.read(MAX_SECRET_BYTES).decode("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise MissingVariableError(f"the file that {name}_FILE names cannot be read: {reason}") from None
    return value


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """`text` with every reference filled. Raises MissingVariableError naming the variable."""

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise MissingVariableError(
                f"{match[0]!r} is not a variable reference; write ${{NAME}} or ${{NAME:-default}}"
            )
        value = lookup(match[1], environ)
        if value:
            return value
        if match[2] is not None:
            return match[2]
        if value is not None:
            return value
        near = did_you_mean(match[1], environ) or "set it, or give a default: ${" + match[1] + ":-…}"
        raise MissingVariableError(f"environment variable {match[1]} is not set; {near}")

    return _REFERENCE.sub(fill, text)


def expand(root: Node, environ: Mapping[str, str], file: str) -> set[int]:
    """Fill every reference below `root` in place; returns the ids of scalars that were wholly filled (or unquoted).

    Raises ConfigError with one finding per reference that cannot be filled.
    """
    filled: set[int] = set()
    seen: set[int] = set()
    findings: list[Finding] = []
    waiting: list[tuple[Node, str]] = [(root, "")]
    while waiting:
        node, path = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node.value, dict):
            waiting.extend((child, f"{path}.{key}".lstrip(".")) for key, child in node.value.items())
        elif isinstance(node.value, list):
            waiting.extend((child, f"{path}[{index}]") for index, child in enumerate(node.value))
        elif isinstance(node.value, str) and "${" in node.value:
            whole = node.plain or _WHOLE.fullmatch(node.value) is not None
            try:
                node.value = substitute(node.value, environ)
            except MissingVariableError as error:
                findings.append(Finding(file, str(error), node.line, node.column, path))
                continue
            if whole:
                filled.add(id(node))
    if findings:
        raise ConfigError(sorted(findings, key=lambda finding: (finding.line, finding.column)))
    return filled
