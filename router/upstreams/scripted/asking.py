"""From a request to what a script may look at, and into the journal: the same for socket and in-process."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from .faults import script_for
from .journal import Journal, Seen
from .script import Asked, Script

_KINDS = {
    "completions": "chat",
    "embeddings": "embeddings",
    "moderations": "moderations",
    "transcriptions": "transcription",
    "translations": "transcription",
    "speech": "speech",
    "generations": "images",
    "edits": "images",
    "variations": "images",
}
_FORM_MODEL = re.compile(rb'name="model"\r\n\r\n([^\r\n]{1,200})\r\n')


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came."""

    path: str
    body: bytes
    headers: Mapping[str, str]


def take(incoming: Incoming, journal: Journal, *, now: float, gap_s: float) -> tuple[Seen, Script, Asked]:
    """Choose the script and write the call down."""
    document = _document(incoming.body)
    form = _FORM_MODEL.search(incoming.body) if not document else None
    asked = Asked(
        model=form[1].decode("utf-8", "replace") if form else str(document.get("model", "")),
        kind=_KINDS.get(incoming.path.rstrip("/").rpartition("/")[2], "chat"),
        stream=document.get("stream") is True,
        gap_s=gap_s,
        document=document,
    )
    number, age_s = journal.numbered(asked, now)
    asked = replace(asked, call=number, age_s=age_s, under_way=partial(journal.under_way, asked.model))
    fault, script = script_for(asked)
    seen = Seen(now, asked.model, fault, incoming.path, asked.stream, number, script.status, sorted(map(str, document)))
    if journal.keep_bodies:
        seen.headers, seen.document = dict(incoming.headers), document
    journal.add(seen)
    return seen, script, asked


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
