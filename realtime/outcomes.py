"""How a reply of a voice session ended, as one of a closed set of words."""

from .protocol import FunctionCall, ResponseView

OUTCOMES = ("answered", "tool", "interrupted", "cancelled", "incomplete", "failed", "empty")


def outcome_of(view: ResponseView, *, begun: bool, heard: bool) -> str:
    """What became of a reply. `begun`: its making was; `heard`: the turn before it had words."""
    if view.status == "cancelled":
        if view.reason != "turn_detected":
            return "cancelled"
        return "interrupted" if begun or heard else "empty"
    if view.status in ("failed", "incomplete"):
        return view.status
    if any(isinstance(item, FunctionCall) for item in view.output):
        return "tool"
    return "answered" if view.output else "empty"
