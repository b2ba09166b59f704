"""Frames to client events: strict, and never raising; what is wrong with a frame is said in OpenAI's codes."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from realtime.protocol import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearOutput,
    ClientEvent,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Fault,
    Malformed,
    Pong,
    ResponseOptions,
    RetrieveItem,
    TruncateItem,
    UpdateSession,
)

from . import vocabulary
from .dialect import Dialect
from .item_shapes import ITEM
from .items import audio_bytes, read_input, read_item
from .patches import beta_patch, response_overrides, session_patch
from .shapes import Number, Record, Refusal, Shape, Text, opened, wrong_type, wrong_value

Wire = Mapping[str, Any]
Reader = Callable[[Wire, Dialect], Callable[..., ClientEvent]]
_NOT_JSON = Fault(code="invalid_json", message="Invalid event: failed to parse JSON value.")
_ID, _TEXT = Text(longest=512), Text()


def _event(fields: Mapping[str, Shape], *required: str) -> Record:
    return Record({"type": _TEXT, "event_id": _ID, **fields}, required=required)


_SHAPES: dict[str, Record] = {
    "session.update": _event({}, "session"),  # the session itself is looked at per dialect
    "transcription_session.update": _event({"session": vocabulary.BETA_LISTENING}, "session"),
    "input_audio_buffer.append": _event({"audio": _TEXT}, "audio"),
    "input_audio_buffer.commit": _event({}),
    "input_audio_buffer.clear": _event({}),
    "output_audio_buffer.clear": _event({}),
    "conversation.item.create": _event({"item": ITEM, "previous_item_id": _ID}, "item"),
    "conversation.item.retrieve": _event({"item_id": _TEXT}, "item_id"),
    "conversation.item.delete": _event({"item_id": _TEXT}, "item_id"),
    "conversation.item.truncate": _event(
        {"item_id": _TEXT, "content_index": Number(0, whole=True), "audio_end_ms": Number(0, whole=True)},
        "item_id",
        "content_index",
        "audio_end_ms",
    ),
    "response.create": _event({}),
    "response.cancel": _event({"response_id": _TEXT}),
}
_DEEPEST = 100  # our own JSON writer stops at 254, and what a client sends may come back in an echo
_CONVERSATIONS = ("auto", "none")  # or the id of the session's own, which begins with "conv_"
_APPEND = "input_audio_buffer.append"
_BETA_ONLY = "transcription_session.update"
_USUAL_QUOTES = 8  # of two names and two texts: no name can be there twice


class _Append(msgspec.Struct, tag_field="type", tag=_APPEND, forbid_unknown_fields=True):
    audio: bytes


_USUAL = msgspec.json.Decoder(_Append)


def usual_audio(frame: bytes) -> bytes | None:
    """The audio of an append event that is written just as nearly all are; None: decode the frame in full."""
    if frame.count(b'"') != _USUAL_QUOTES:
        return None
    try:
        return _USUAL.decode(frame).audio
    except msgspec.DecodeError:
        return None


class Decoder:
    """Reads the frames of one connection."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        lenient = dialect is Dialect.INWORLD
        self._shapes: dict[str, Record] = {}
        for name, shape in _SHAPES.items():
            if name == _BETA_ONLY and dialect is not Dialect.BETA:
                continue
            fields = dict(shape.fields)
            if name == "session.update":
                fields["session"] = vocabulary.BETA_SESSION if dialect is Dialect.BETA else vocabulary.session(dialect)
            elif name == "conversation.item.create" and lenient:
                fields["item"] = opened(ITEM)
            elif name == "response.create":
                fields["response"] = vocabulary.response(dialect)
            self._shapes[name] = Record(fields, shape.required, open=lenient)

    def decode(self, frame: str | bytes | bytearray, at_ms: float) -> ClientEvent:
        """One text frame."""
        try:
            wire = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return Malformed(fault=_NOT_JSON, at_ms=at_ms)
        if not isinstance(wire, dict):
            fault = Fault(code="invalid_event", message="Invalid event: expected a JSON object.")
            return Malformed(fault=fault, at_ms=at_ms)
        if len(wire) == 2 and wire.get("type") == _APPEND and type(wire.get("audio")) is str:  # nearly all there is
            return self._append(wire["audio"], at_ms)
        event_id = wire.get("event_id")
        known_id = event_id if isinstance(event_id, str) and len(event_id) <= 512 else None
        try:
            return self._read(wire, known_id, at_ms)
        except Refusal as refusal:
            return Malformed(fault=refusal.fault, event_id=known_id, at_ms=at_ms)

    @staticmethod
    def _append(audio: str, at_ms: float) -> ClientEvent:
        try:
            return AppendAudio(audio=audio_bytes(audio, "audio"), at_ms=at_ms)
        except Refusal as refusal:
            return Malformed(fault=refusal.fault, at_ms=at_ms)

    def _read(self, wire: dict[str, Any], event_id: str | None, at_ms: float) -> ClientEvent:
        kind = wire.get("type")
        if kind is None:
            raise Refusal("missing_required_parameter", "Missing required parameter: 'type'.", "type")
        if not isinstance(kind, str):
            raise wrong_type("type", "a string", kind)
        shape = self._shapes.get(kind)
        if shape is None:
            return self._unknown(kind, event_id, at_ms)
        if kind != "input_audio_buffer.append" and too_deep(wire):
            raise Refusal("invalid_value", f"Invalid event: nested more than {_DEEPEST} levels deep.")
        shape.check(wire, "")
        return self._translate(kind, wire, event_id=event_id, at_ms=at_ms)

    def _unknown(self, kind: str, event_id: str | None, at_ms: float) -> ClientEvent:
        if self._dialect is not Dialect.INWORLD:
            names = ", ".join(f"'{name}'" for name in self._shapes)
            raise Refusal("invalid_value", f"Invalid value: '{kind}'. Supported values are: {names}.", "type")
        if kind == "pong":
            return Pong(event_id=event_id, at_ms=at_ms)
        fault = Fault(code="unknown_event_type", message=f"Unknown event type '{kind}'.", param="type")
        return Malformed(fault=fault, event_id=event_id, at_ms=at_ms)

    def _translate(self, kind: str, wire: dict[str, Any], *, event_id: str | None, at_ms: float) -> ClientEvent:
        match kind:
            case "input_audio_buffer.append":
                return AppendAudio(audio=audio_bytes(wire["audio"], "audio"), event_id=event_id, at_ms=at_ms)
            case "session.update" | "transcription_session.update":
                return UpdateSession(patch=self._patch(kind, wire["session"]), event_id=event_id, at_ms=at_ms)
            case "input_audio_buffer.commit":
                return CommitAudio(event_id=event_id, at_ms=at_ms)
            case "input_audio_buffer.clear":
                return ClearAudio(event_id=event_id, at_ms=at_ms)
            case "output_audio_buffer.clear":
                return ClearOutput(event_id=event_id, at_ms=at_ms)
            case "conversation.item.create":
                item = read_item(wire["item"], "item")
                after = wire.get("previous_item_id")
                return CreateItem(item=item, previous_item_id=after, event_id=event_id, at_ms=at_ms)
            case "conversation.item.retrieve":
                return RetrieveItem(item_id=wire["item_id"], event_id=event_id, at_ms=at_ms)
            case "conversation.item.delete":
                return DeleteItem(item_id=wire["item_id"], event_id=event_id, at_ms=at_ms)
            case "conversation.item.truncate":
                return TruncateItem(
                    item_id=wire["item_id"],
                    content_index=wire["content_index"],
                    audio_end_ms=wire["audio_end_ms"],
                    event_id=event_id,
                    at_ms=at_ms,
                )
            case "response.create":
                return CreateResponse(options=self._options(wire.get("response") or {}), event_id=event_id, at_ms=at_ms)
            case _:
                return CancelResponse(response_id=wire.get("response_id"), event_id=event_id, at_ms=at_ms)

    def _patch(self, kind: str, session: Wire) -> dict[str, Any]:
        if self._dialect is Dialect.BETA:
            return beta_patch(session, listening=kind == _BETA_ONLY)
        return session_patch(session, self._dialect)

    def _options(self, response: Wire) -> ResponseOptions:
        own, where = response.get("input"), response.get("conversation")
        if where is not None and where not in _CONVERSATIONS and not where.startswith("conv_"):
            raise wrong_value("response.conversation", where, _CONVERSATIONS)
        return ResponseOptions(
            in_conversation=where != "none",
            input=None
            if own is None
            else tuple(read_input(item, f"response.input[{number}]") for number, item in enumerate(own)),
            metadata=response.get("metadata"),
            overrides=response_overrides(response, self._dialect),
        )


def too_deep(value: object, *, levels: int = _DEEPEST) -> bool:
    """Whether JSON is nested deeper than we are willing to repeat."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for one in layer
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return True
