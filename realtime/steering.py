"""Keeps steering tags out of what the user reads, token by token: `[warmly]` may come in three pieces."""

from .stages.speakable import without_tags

LONGEST_TAG = 90


class TagFilter:
    """One answer's text on its way to the transcript. Text that might be the start of a tag waits."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, token: str) -> str:
        """What may be shown now."""
        if not self._held and "[" not in token and "<" not in token:
            return token
        text = self._held + token
        cut = _open_tag(text)
        shown, self._held = without_tags(text[:cut]), text[cut:]
        return shown

    def flush(self) -> str:
        """The text is complete: what waited was no tag, or is one."""
        shown, self._held = without_tags(self._held), ""
        return shown


def _open_tag(text: str) -> int:
    """Where a tag begins that is not closed yet; the length of the text when none does."""
    for opening, closing in (("[", "]"), ("<", ">")):
        begun = text.rfind(opening)
        if begun >= 0 and len(text) - begun <= LONGEST_TAG:
            closed = text.find(closing, begun)
            if closed < 0 or closed == len(text) - 1:  # what follows the bracket tells a tag from a link
                return begun
    return len(text)
