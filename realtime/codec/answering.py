"""A response as it grows, as JSON: its items, parts, words, sound and tool calls. Sound has a short way of its own."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from realtime.protocol import (
    ArgumentsAdded,
    ArgumentsDone,
    AudioDone,
    AudioSpoken,
    OutputItemAdded,
    OutputItemDone,
    PartAdded,
    PartDone,
    PartPlace,
    ResponseDone,
    ResponseStarted,
    TextDone,
    TextWritten,
    ToolServerArguments,
    ToolServerProgress,
    WordsDone,
    WordsSpoken,
)

from .beta import TO_BETA
from .dialect import Dialect
from .items import write_item, write_part
from .responses import write_response

Wire = dict[str, Any]


class AudioFrames:
    """Frames of sound: the constant part of a frame is made once per content part."""

    def __init__(self, dialect: Dialect) -> None:
        kind = "response.output_audio.delta"
        self._type = TO_BETA[kind] if dialect is Dialect.BETA else kind
        self._place: PartPlace | None = None
        self._head = b""

    def write(self, event: AudioSpoken, event_id: str) -> bytes:
        """One frame."""
        place = event.place
        if place != self._place:
            self._place, self._head = place, orjson.dumps({"type": self._type, **_at(place), "delta": ""})[:-2]
        return b'%b%b","event_id":%b}' % (self._head, base64.b64encode(event.audio), orjson.dumps(event_id))


def answering_writers(dialect: Dialect) -> Mapping[type, Callable[[Any], Wire]]:
    """How each event of a response is written, by its present name."""
    return {
        ResponseStarted: lambda e: {"type": "response.created", "response": write_response(e.response, dialect)},
        ResponseDone: lambda e: _done(e, dialect),
        OutputItemAdded: lambda e: _output_item("added", e, dialect),
        OutputItemDone: lambda e: _output_item("done", e, dialect),
        PartAdded: lambda e: _placed("response.content_part.added", e.place, part=write_part(e.part)),
        PartDone: lambda e: _placed("response.content_part.done", e.place, part=write_part(e.part)),
        TextWritten: lambda e: _placed("response.output_text.delta", e.place, delta=e.text),
        TextDone: lambda e: _placed("response.output_text.done", e.place, text=e.text),
        AudioSpoken: _audio_with_words,
        AudioDone: lambda e: _placed("response.output_audio.done", e.place),
        WordsSpoken: lambda e: _placed("response.output_audio_transcript.delta", e.place, delta=e.text),
        WordsDone: lambda e: _placed("response.output_audio_transcript.done", e.place, transcript=e.text),
        ArgumentsAdded: lambda e: _call("delta", e.place, call_id=e.call_id, delta=e.text),
        ArgumentsDone: lambda e: _arguments_done(e, named=dialect is not Dialect.BETA),
        ToolServerProgress: _progress,
        ToolServerArguments: _server_arguments,
    }


def _at(place: PartPlace) -> Wire:
    return {
        "response_id": place.response_id,
        "item_id": place.item_id,
        "output_index": place.output_index,
        "content_index": place.content_index,
    }


def _placed(kind: str, place: PartPlace, **fields: Any) -> Wire:
    return {"type": kind, **_at(place), **fields}


def _done(event: ResponseDone, dialect: Dialect) -> Wire:
    wire: Wire = {"type": "response.done", "response": write_response(event.response, dialect)}
    if dialect is Dialect.INWORLD:
        wire["usage"] = wire["response"]["usage"]
    return wire


def _output_item(stage: str, event: OutputItemAdded | OutputItemDone, dialect: Dialect) -> Wire:
    return {
        "type": f"response.output_item.{stage}",
        "response_id": event.response_id,
        "output_index": event.output_index,
        "item": write_item(event.item, dialect),
    }


def _audio_with_words(event: AudioSpoken) -> Wire:
    alignment = {
        "words": [word for word, _, _ in event.words],
        "wordStartTimeSeconds": [start_ms / 1000 for _, start_ms, _ in event.words],
        "wordEndTimeSeconds": [end_ms / 1000 for _, _, end_ms in event.words],
    }
    delta = base64.b64encode(event.audio).decode("ascii")
    told = {"timestampInfo": {"wordAlignment": alignment}}
    return _placed("response.output_audio.delta", event.place, delta=delta, providerData=told)


def _call(stage: str, place: PartPlace, **fields: Any) -> Wire:
    return {
        "type": f"response.function_call_arguments.{stage}",
        "response_id": place.response_id,
        "item_id": place.item_id,
        "output_index": place.output_index,
        **fields,
    }


def _arguments_done(event: ArgumentsDone, *, named: bool) -> Wire:
    name = {"name": event.name} if named else {}
    return _call("done", event.place, call_id=event.call_id, **name, arguments=event.arguments)


def _progress(event: ToolServerProgress) -> Wire:
    place = {} if event.subject == "mcp_list_tools" else {"output_index": event.output_index}
    return {"type": f"{event.subject}.{event.stage}", "item_id": event.item_id, **place}


def _server_arguments(event: ToolServerArguments) -> Wire:
    place = event.place
    stage, field = ("done", "arguments") if event.done else ("delta", "delta")
    return {
        "type": f"response.mcp_call_arguments.{stage}",
        "response_id": place.response_id,
        "item_id": place.item_id,
        "output_index": place.output_index,
        field: event.text,
        **({} if event.done else {"obfuscation": ""}),  # optional, but some clients insist
    }
