"""Drop-in names: a name or pattern that stands for a model string. An exact name wins, then the longest pattern."""

from collections.abc import Mapping
from fnmatch import fnmatchcase


class Aliases:
    """Patterns with `*` and `?`, case-sensitive. A frozen lookup; aliases of aliases are not followed."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, entries: Mapping[str, str]) -> None:
        patterns = [name for name in entries if any(sign in name for sign in "*?[")]
        self._exact = {name: model for name, model in entries.items() if name not in patterns}
        longest_first = sorted(patterns, key=lambda pattern: (-len(pattern), pattern))
        self._patterns = tuple((pattern, entries[pattern]) for pattern in longest_first)

    def get(self, name: str) -> str | None:
        """What the name stands for, or None."""
        if name in self._exact:
            return self._exact[name]
        return next((model for pattern, model in self._patterns if fnmatchcase(name, pattern)), None)
