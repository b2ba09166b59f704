"""The canonical answer of sixty words in every shape a provider sends it. Pure."""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from .script import JSON, SSE, Asked, Script, Step

CANONICAL = (
    "A careful router sends every question to the place that can answer it best, keeps a truthful record of each "
    "attempt, and steps aside without noise when a provider falls silent. It never repeats a word, never loses one, "
    "and never calls a broken sentence complete. People who listen hear only one calm voice, whatever happens behind "
    "the door tonight."
)
WORDS = tuple(word if n == 0 else f" {word}" for n, word in enumerate(CANONICAL.split()))
DONE = b"data: [DONE]\n\n"
USAGE: Mapping[str, int] = {"prompt_tokens": 12, "completion_tokens": len(WORDS), "total_tokens": 12 + len(WORDS)}
_PACKED = base64.b64encode(struct.pack("<2f", 0.75, 0.5)).decode()
_PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a GIF of one dot
_ID = "chatcmpl-scripted"
_CREATED = 1_790_000_000


def event(document: Any) -> bytes:
    """One SSE event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def chunk(asked: Asked, delta: Mapping[str, Any], *, finish: str | None = None, index: int = 0) -> bytes:
    """One chat.completion.chunk as an SSE event."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event(_envelope(asked, "chat.completion.chunk") | {"choices": [choice]})


def role(asked: Asked) -> bytes:
    """The opening chunk that carries the role only."""
    return chunk(asked, {"role": "assistant", "content": ""})


def ending(asked: Asked, usage: Mapping[str, int] | None = USAGE) -> bytes:
    """Finish, usage (if the request asked for it) and `[DONE]`."""
    return finish(asked) + used(asked, usage) + DONE


def finish(asked: Asked) -> bytes:
    """The chunk with the finish reason."""
    return chunk(asked, {}, finish="stop")


def used(asked: Asked, usage: Mapping[str, int] | None = USAGE) -> bytes:
    """The usage chunk, empty when it was not asked for."""
    options = asked.document.get("stream_options")
    wanted = isinstance(options, Mapping) and options.get("include_usage") is True
    if not wanted or usage is None:
        return b""
    return event(_envelope(asked, "chat.completion.chunk") | {"choices": [], "usage": usage})


def words(asked: Asked, first: int = 0, last: int | None = None) -> list[Step]:
    """Deltas of the answer from word `first` up to word `last`, with the gap between them."""
    steps: list[Step] = []
    for word in WORDS[first:last]:
        steps += [asked.gap_s, chunk(asked, {"content": word})] if asked.gap_s else [chunk(asked, {"content": word})]
    return steps


def whole(asked: Asked, *, first: int = 0, usage: Mapping[str, int] | None = USAGE) -> Script:
    """The right answer, as JSON or as a stream; from word `first` on."""
    if asked.kind != "chat":
        return _other(asked)
    if asked.stream:
        return stream([role(asked), *words(asked, first), ending(asked, usage)])
    return json(completion(asked, {"role": "assistant", "content": "".join(WORDS[first:])}, usage=usage))


def stream(steps: Sequence[Step], **fields: Any) -> Script:
    """A script that answers with SSE."""
    return Script(tuple(steps), headers=SSE, **fields)


def json(document: Any, **fields: Any) -> Script:
    """A script that answers with JSON."""
    return Script((orjson.dumps(document),), **fields)


def completion(
    asked: Asked, message: Mapping[str, Any], *, usage: Mapping[str, int] | None = USAGE, finish: str = "stop"
) -> dict[str, Any]:
    """A chat.completion."""
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    document = _envelope(asked, "chat.completion") | {"choices": choices}
    return document if usage is None else document | {"usage": usage}


def error(status: int, *, code: str | None = None, kind: str = "server_error", message: str | None = None) -> Script:
    """OpenAI's error envelope with this status."""
    text = message or f"scripted fault: status {status}"
    return json({"error": {"message": text, "type": kind, "param": None, "code": code}}, status=status, headers=JSON)


def _other(asked: Asked) -> Script:
    match asked.kind:
        case "embeddings":
            given = asked.document.get("input")
            vector: Any = _PACKED if asked.document.get("encoding_format") == "base64" else [0.75, 0.5]
            count = len(given) if isinstance(given, list) else 1
            rows = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
            usage = {"prompt_tokens": count, "total_tokens": count}
            return json({"object": "list", "model": asked.model, "data": rows, "usage": usage})
        case "moderations":
            results = [{"flagged": False, "categories": {}, "category_scores": {}}]
            return json({"id": "modr-scripted", "model": asked.model, "results": results})
        case "images":
            return json({"created": _CREATED, "data": [{"b64_json": _PIXEL}]})
        case "transcription":
            return json({"text": CANONICAL})
        case _:
            return Script((_wav(),), headers=(("content-type", "audio/wav"),))


def _wav() -> bytes:
    """Half a second of a soft square wave, 16-bit mono at 24 kHz."""
    samples = b"".join(struct.pack("<h", 2000 if n // 60 % 2 else -2000) for n in range(12_000))
    shape = (b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16)
    return (
        struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", *shape, b"data", len(samples)) + samples
    )


def _envelope(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": _ID, "object": kind, "created": _CREATED, "model": asked.model}
