"""Frames of the wire, hardly touched: what kind of event a frame is, its sound, and what may be said in our own name.

A glance walks over a frame once without building anything of it; sound is never decoded on its way through.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

OWN_ID = "rr_"  # how ids begin that we gave to events of the client, so that an error about them is understood


class Glance(msgspec.Struct):
    """What is looked at in every frame."""

    type: Any = None
    event_id: Any = None
    response_id: Any = None
    item_id: Any = None

    @property
    def kind(self) -> str:
        """The event's type."""
        return str(self.type)


_glance = msgspec.json.Decoder(Glance).decode


def glance(frame: bytes) -> Glance | None:
    """A look at a frame; None when it is not a JSON object with a type, in UTF-8."""
    try:
        if not frame.isascii():
            frame.decode()
        seen = _glance(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return seen if isinstance(seen.type, str) else None


def opened(frame: bytes) -> dict[str, Any] | None:
    """The whole event; None when it cannot be read after all."""
    try:
        wire = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    return wire if isinstance(wire, dict) else None


def with_event_id(frame: bytes, event_id: str) -> bytes:
    """The same frame with an id in front; it has none yet."""
    return b'{"event_id":"%b",%b' % (event_id.encode(), frame.lstrip()[1:])


def sound_in(frame: bytes, field: bytes) -> bytes:
    """The base64 text of a field, cut out as it stands; empty where there is none."""
    at = frame.find(b'"%b"' % field)
    start = frame.find(b'"', at + len(field) + 2) + 1 if at >= 0 else 0
    end = frame.find(b'"', start) if start else -1
    return frame[start:end] if end > 0 else b""


def size_of(sound: bytes) -> int:
    """How many bytes a base64 text stands for."""
    return max(0, len(sound) * 3 // 4 - sound[-2:].count(b"="))


def joined(sounds: Iterable[bytes]) -> str:
    """Several base64 texts as one; what is none is left out."""
    whole = bytearray()
    for sound in sounds:
        try:
            whole += binascii.a2b_base64(sound)
        except binascii.Error:
            continue
    return base64.b64encode(whole).decode("ascii")


def event(kind: str, **fields: Any) -> bytes:
    """A frame of our own."""
    return orjson.dumps({"type": kind, **fields})


def written(wire: Mapping[str, Any]) -> bytes:
    """An event as a frame."""
    return orjson.dumps(wire)


def error(code: str | None, message: str, *, kind: str = "server_error", **fields: Any) -> dict[str, Any]:
    """The inside of an `error` event. Fields: `param`, `event_id`."""
    return {"type": kind, "code": code, "message": message, "param": None, "event_id": None, **fields}
