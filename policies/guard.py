"""A necessary test of a condition that needs no engine: most conditions compare a variable with words.

`tier == "premium" && turns > 3` cannot hold unless `tier` is "premium". A table of such guards finds the few routes
worth evaluating among hundreds. A guard is exact in one direction only: what it turns away does not match.
"""

from dataclasses import dataclass
from typing import Any

from .cel_tree import Call, Constant, Identifier, Node, Select, Sequence
from .facts import Facts

Word = str | int | float | bool
BUILT_IN = frozenset({"messages", "metadata", "user", "voice", "protocol"})
MISSING = object()
VOICE = "voice."


@dataclass(frozen=True, slots=True)
class Guard:
    """The variable (`tier`, `voice.emotion`) must equal one of `words`."""

    variable: str
    words: tuple[Word, ...]


def guard_of(node: Node) -> Guard | None:
    """The first guard found among what must hold, or None."""
    match node:
        case Call("_&&_", (left, right)):
            return guard_of(left) or guard_of(right)
        case Call("_||_", (left, right)):
            one, other = guard_of(left), guard_of(right)
            if one is None or other is None or one.variable != other.variable:
                return None
            return Guard(one.variable, one.words + other.words)
        case Call("_==_", (Constant() as constant, other_side)) | Call("_==_", (other_side, Constant() as constant)):
            return _guard(other_side, (constant,))
        case Call("@in", (needle, Sequence(parts))):
            return _guard(needle, parts)
        case _:
            return None


def _guard(subject: Node, literals: tuple[Node, ...]) -> Guard | None:
    words = tuple(part.value for part in literals if isinstance(part, Constant) and part.value is not None)
    variable = _variable(subject)
    return Guard(variable, words) if variable is not None and len(words) == len(literals) else None


def _variable(node: Node) -> str | None:
    match node:
        case Identifier(name) if name not in ("messages", "metadata", "voice"):
            return name
        case Select(Identifier("metadata"), field, False) if field not in BUILT_IN:
            return field
        case Select(Identifier("voice"), field, False):
            return VOICE + field
        case _:
            return None


def kind_of(value: Any) -> str | None:
    """Values of different kinds are never equal to the engine, though `True == 1` to Python."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else None


def read(variable: str, facts: Facts) -> Any:
    """A guard's variable as an expression would see it, or MISSING."""
    if variable == "protocol":
        return facts.protocol
    if variable == "user" and facts.user is not None:
        return facts.user
    if variable.startswith(VOICE):
        return facts.voice.get(variable.removeprefix(VOICE), MISSING)
    return facts.metadata.get(variable, MISSING)
