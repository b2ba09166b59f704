"""Embeddings and moderations of the demo provider: small, local, deterministic, and no match for a model.

Embeddings hash character n-grams into signed places (Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning", 2009), so texts that share words or parts of words lie close; meaning they do not know. Moderation looks for
words.
"""

import base64
import math
import struct
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from router.grams import grams

from .replies import text_of

USUAL_SIZE = 256
MOST_SIZE = 4096
MOST_INPUTS = 2048  # as OpenAI has it
_UNSAFE: Mapping[str, str | None] = {  # every category that OpenAI's types require, and the word that means it here
    "harassment": "harass",
    "harassment/threatening": None,
    "hate": "hate",
    "hate/threatening": None,
    "illicit": None,
    "illicit/violent": None,
    "self-harm": "suicide",
    "self-harm/instructions": None,
    "self-harm/intent": None,
    "sexual": "porn",
    "sexual/minors": None,
    "violence": "kill",
    "violence/graphic": None,
}


class WrongInput(Exception):  # noqa: N818  it is what it says
    """A field that cannot be as it is."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


def embeddings(document: Mapping[str, Any], model: str) -> bytes:
    """The answer of `/embeddings`. Raises WrongInput."""
    texts = _inputs(document)
    size = document.get("dimensions")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MOST_SIZE):
        raise WrongInput("dimensions", f"must be a whole number from 1 to {MOST_SIZE}")
    form = document.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise WrongInput("encoding_format", "must be 'float' or 'base64'")
    vectors = [vector(text, size or USUAL_SIZE) for text in texts]
    rows = [
        {"object": "embedding", "index": n, "embedding": one if form == "float" else packed(one)}
        for n, one in enumerate(vectors)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "counted_in": "whitespace_tokens"}
    return orjson.dumps({"object": "list", "model": model, "data": rows, "usage": usage})


def vector(text: str, size: int) -> list[float]:
    """A vector of length 1 with `size` places; of a text without words, the first axis."""
    sums = [0.0] * size
    for gram, times in Counter(grams(text)).items():
        place = int.from_bytes(blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        sums[(place >> 1) % size] += (1 + math.log(times)) * (1 if place & 1 else -1)
    length = math.sqrt(sum(value * value for value in sums))
    return [round(value / length, 6) for value in sums] if length else [1.0] + [0.0] * (size - 1)


def packed(values: list[float]) -> str:
    """Base64 of little-endian 32-bit floats: what OpenAI's own clients ask for."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def moderations(document: Mapping[str, Any], model: str) -> bytes:
    """The answer of `/moderations`. Raises WrongInput."""
    results = []
    for text in _inputs(document):
        categories = {name: word is not None and word in text.lower() for name, word in _UNSAFE.items()}
        scores = {name: 0.99 if flagged else 0.01 for name, flagged in categories.items()}
        result = {"flagged": any(categories.values()), "categories": categories, "category_scores": scores}
        results.append(result | {"category_applied_input_types": {name: ["text"] for name in categories}})
    return orjson.dumps({"id": "modr-demo", "model": model, "results": results})


def _inputs(document: Mapping[str, Any]) -> list[str]:
    given = document.get("input")
    listed = given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]
    if not isinstance(given, str | list) or not given or not listed:
        raise WrongInput("input", "is missing or empty; give a text or a list of texts")
    if len(listed) > MOST_INPUTS:
        raise WrongInput("input", f"has {len(listed)} entries; {MOST_INPUTS} are allowed")
    return [_text(one) for one in listed]


def _text(one: Any) -> str:
    if isinstance(one, Mapping):
        one = text_of({"content": [one]})
    return one if isinstance(one, str) else str(one)
