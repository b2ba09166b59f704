"""`ttft_timeout` as people write it, in a request, a variant or a router's defaults: the limit for a first token."""

import re

FORM = r"^[0-9]{1,7}(\.[0-9]{1,6})?(ms|s)$"
SHORTEST_S, LONGEST_S = 0.3, 600.0
_FORM = re.compile(FORM)


def seconds(text: str) -> float:
    """`"800ms"`, `"1.5s"` in seconds. Raises ValueError, in words for the one who wrote it."""
    if not _FORM.fullmatch(text):
        raise ValueError('must be a duration such as "300ms", "1s" or "1.5s"')
    value_s = float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))
    if not SHORTEST_S <= value_s <= LONGEST_S:
        raise ValueError(f"must be from {SHORTEST_S * 1000:g}ms to {LONGEST_S:g}s")
    return value_s
