"""The only chance in the house: hashes that turn a unit and a salt into a bucket or a variant.

Fixed for good; a change here deals every unit again. `bucket` and rendezvous are specified in the configuration
reference, "Assignment". Rendezvous: weighted highest-random-weight hashing (Schindelhauer and Schomaker, 2005):
`-ln(h) / weight` is exponentially distributed with rate `weight`, so the smallest wins in proportion to its weight, and
a changed weight only moves units to or from the variant that changed.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from typing import Any

BUCKETS = 1_000_000
GROWTHBOOK_BUCKETS = 10_000
_STEPS = 2.0**53


def digest_head(text: str) -> int:
    """The first 8 bytes of SHA-256 over the UTF-8 text, big-endian. A lone surrogate is hashed as it stands."""
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def bucket(salt: str, unit: str) -> int:
    """Where a unit falls, from 0 to 999,999."""
    return digest_head(f"{salt}:{unit}") % BUCKETS


def rendezvous(salt: str, unit: str, weights: Sequence[tuple[str, float]]) -> str:
    """The id whose score is smallest. At least one weight must be above 0; the order of `weights` does not matter."""
    best_score, best = math.inf, ""
    for name, weight in weights:
        if weight <= 0:
            continue
        point = ((digest_head(f"{salt}:{unit}:{name}") >> 11) + 0.5) / _STEPS
        score = -math.log(point) / weight
        if score < best_score or (score == best_score and name < best):
            best_score, best = score, name
    return best


def boundaries(weights: Iterable[Fraction], buckets: int = BUCKETS) -> tuple[int, ...]:
    """Upper ends of cumulative ranges, exact: floor(sum so far x buckets / total); the last one is `buckets`."""
    shares = list(weights)
    total, so_far, ends = sum(shares, Fraction(0)), Fraction(0), []
    for share in shares:
        so_far += share
        ends.append(math.floor(so_far * buckets / total))
    return tuple(ends)


def growthbook_bucket(seed: str, unit: str) -> int:
    """GrowthBook's hash, version 2: FNV-1a (32 bit) twice, from 0 to 9,999."""
    return _fnv1a(str(_fnv1a(seed + unit))) % GROWTHBOOK_BUCKETS


def _fnv1a(text: str) -> int:
    """32-bit FNV-1a over UTF-16 code units, as in GrowthBook's JavaScript."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    value = 0x811C9DC5
    for at in range(0, len(encoded), 2):
        value = ((value ^ (encoded[at] | encoded[at + 1] << 8)) * 0x01000193) & 0xFFFFFFFF
    return value


def unit_text(value: Any) -> str | None:
    """How a value is written before it is hashed, or None if it cannot be a unit.

    Text as it is: no trimming, no folding. Numbers and booleans as JSON writes them. Empty text, null, objects and
    lists are no unit.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return json.dumps(value)
    return None


def unit_of(keys: Iterable[str], user: str | None, metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first key that is present and can be a unit, with its text.

    A key is `user`, `metadata.NAME` (dots lead into objects) or the bare name of a metadata key.
    """
    for key in keys:
        text = unit_text(user if key == "user" else _lookup(metadata, key.removeprefix("metadata.")))
        if text is not None:
            return key, text
    return None


def _lookup(metadata: Mapping[str, Any], path: str) -> Any:
    found: Any = metadata
    if path in metadata:
        return metadata[path]
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
