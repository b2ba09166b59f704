"""Putting our fields into a provider's JSON without reading it again: cut at the closing brace, and the model's name.

A provider's own top-level `metadata` is kept away; then, and wherever cutting would be unsafe, the JSON is parsed after
all.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

_FORM_MODEL = re.compile(rb'(name="?model"?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)[^\r\n]*')
_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')


def spliced(
    body: bytes, metadata: Mapping[str, Any], model: str | None = None, *, without_usage: bool = False
) -> bytes:
    """A JSON object's bytes with our `metadata` (and the top-level `model`, if given). `body` must be an object."""
    if b'"metadata"' in body or (without_usage and b'"usage"' in body):
        return _parsed(body, metadata, model, without_usage=without_usage)
    if model is not None:
        place = body.find(b'"model"')
        if place >= 0:
            said = _MODEL.match(body, place)
            if said is None or body.find(b'"model"', place + 7) >= 0:
                return _parsed(body, metadata, model, without_usage=without_usage)
            body = body[:place] + named(model) + body[said.end() :]
    inside = body.rstrip()[:-1].rstrip()
    name = b'"metadata":' if inside.endswith(b"{") else b',"metadata":'
    return inside + name + orjson.dumps(metadata) + b"}"


@lru_cache(1024)
def named(model: str) -> bytes:
    """The member `"model":"..."`."""
    return b'"model":' + orjson.dumps(model)


def model_in(payload: bytes) -> bytes | None:
    """The bytes of the first `"model":"..."` member, or None."""
    found = _MODEL.search(payload)
    return found.group() if found else None


def with_form_model(body: bytes, model: str) -> bytes:
    """A multipart form whose `model` field says `model`; one without the field gains it as its first part."""
    if _FORM_MODEL.search(body) is None and body.startswith(b"--"):
        mark = body.partition(b"\r\n")[0]
        return b'%b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n%b' % (mark, model.encode(), body)
    return _FORM_MODEL.sub(lambda found: found[1] + model.encode(), body, count=1)


def _parsed(body: bytes, metadata: Mapping[str, Any], model: str | None, *, without_usage: bool) -> bytes:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body  # stricter than the reader that let it pass: it goes on as it is
    document.pop("metadata", None)
    if without_usage:
        document.pop("usage", None)
    if model is not None and "model" in document:
        document["model"] = model
    document["metadata"] = metadata
    return orjson.dumps(document)
