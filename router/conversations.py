"""Who answered a conversation lately: a provider's prompt cache only helps whoever comes back to it.

A conversation is known by its `prompt_cache_key`, else by `user` and the messages up to the first one of the user. What
is kept is a preference and nothing more: it matters only where measurements rank targets, a resting one loses it, and
after five idle minutes (as long as providers keep their caches) it is forgotten. Each process has its own.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

IDLE_S = 300.0
MOST = 10_000  # conversations; beyond, the longest silent is forgotten
LONGEST = 4096  # characters of one message that are looked at


class Conversations:
    """The target that last answered each conversation."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[str, float]] = {}

    def held(self, conversation: bytes, now_s: float) -> str | None:
        """The name of the target that answered it lately, or None."""
        found = self._kept.get(conversation)
        return found[0] if found is not None and now_s - found[1] <= IDLE_S else None

    def answered(self, conversation: bytes, target: str, now_s: float) -> None:
        """This target has just answered it."""
        self._kept.pop(conversation, None)
        if len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[conversation] = (target, now_s)

    def __len__(self) -> int:
        return len(self._kept)


def conversation_of(
    document: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], *, user: str | None, key_id: str | None
) -> bytes | None:
    """16 bytes that stand for the conversation, or None where nothing tells it from others. Keys do not share any."""
    named = document.get("prompt_cache_key")
    digest = blake2b(digest_size=16)
    digest.update(_bytes(key_id or ""))
    if isinstance(named, str) and named:
        digest.update(b"\0named\0" + _bytes(named))
        return digest.digest()
    if not messages:
        return None
    digest.update(b"\0led\0" + _bytes(user or ""))
    for message in messages:
        role = message.get("role")
        digest.update(b"\0" + _bytes(str(role)) + b"\0" + _bytes(_words(message.get("content"))))
        if role == "user":
            break
    return digest.digest()


def _words(content: Any) -> str:
    """The beginning of a message's text, and how long the whole is; of parts, their texts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return f"{len(content)}:{content[:LONGEST]}" if isinstance(content, str) else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
