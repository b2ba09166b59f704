"""What is wrong with a configuration: findings with a place, all of them at once, printed the way compilers print them.

`file:line:column: path: message`, then the offending line with a caret below it and, where one is near, a
"did you mean".
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
MAX_SHOWN_CHARACTERS = 160
_PASSWORD = re.compile(r"""(?<=://)([^/\s:@'"]*:)[^\s'"]*(?=@) | (\bpass\w*=)[^&\s'"]+""", re.VERBOSE)  # of an address
_SECRET = re.compile(  # what stands behind a name that says so, unless a variable holds it; and what looks like a key
    r"""(\b[\w-]*(?:secret|key|passw(?:or)?d|token|authorization)["']?\s*:\s*["']?)(?!\$\{)([^\s"',}\]][^"',}\]]*)"""
    r"""|()(\bsk-[\w-]{8,})""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to repair. Lines and columns count from one; `remedy` says what to do."""

    file: str
    message: str
    line: int = 1
    column: int = 1
    path: str = ""
    remedy: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" ({self.remedy})" if self.remedy else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.message}{hint}"

    def render(self, text: str | None) -> str:
        """The finding with its source line and a caret, when `text` (the whole file) is at hand."""
        where = f"{self.path}: " if self.path else ""
        head = f"{self.severity}: {where}{self.message}\n  --> {self.file}:{self.line}:{self.column}"
        lines = text.splitlines() if text is not None else []
        tail = f"\n   = help: {self.remedy}" if self.remedy else ""
        if not 0 < self.line <= len(lines):
            return head + tail
        number = str(self.line)
        margin = " " * len(number)
        source = without_password(_without_secrets(lines[self.line - 1]))[:MAX_SHOWN_CHARACTERS]
        caret = " " * (min(self.column, MAX_SHOWN_CHARACTERS) - 1) + "^"
        return f"{head}\n{margin} |\n{number} | {source}\n{margin} | {caret}{tail}"


class ConfigError(Exception):
    """A configuration that will not be taken. `findings` holds every error; `texts` the sources by file name."""

    def __init__(self, findings: Iterable[Finding], texts: dict[str, str] | None = None) -> None:
        self.findings = tuple(findings)
        self.texts = texts or {}
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def render(self) -> str:
        """All findings, rustc-style, with a count at the end."""
        count = len(self.findings)
        shown = [finding.render(self.texts.get(finding.file)) for finding in self.findings]
        return "\n\n".join([*shown, f"{count} error{'s' if count != 1 else ''}; nothing was changed"])


def without_password(text: str) -> str:
    """`text` with the passwords of the addresses in it left out."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", text)


def _without_secrets(line: str) -> str:
    """A line of a file with stars for what is secret, each character one, so that columns stay."""
    return _SECRET.sub(lambda found: (found[1] or "") + "*" * len(found[2] or found[4]), line)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` for the nearest known word, or None when nothing is near."""
    near = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else None
