"""A text as words and character n-grams: like texts share many, and a typo or an inflection changes few."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def words(text: str) -> list[str]:
    """Its words, without signs."""
    return _WORD.findall(text)


def grams(text: str) -> Iterator[str]:
    """Words, and character n-grams of three to five within each word and its edges."""
    for word in words(text.casefold()):
        yield f"={word}"
        edged = f"<{word}>"
        for size in (3, 4, 5):
            for start in range(len(edged) - size + 1):
                yield edged[start : start + size]
