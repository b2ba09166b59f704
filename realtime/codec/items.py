"""Items between JSON and our own words."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from realtime.protocol import (
    AudioPart,
    FunctionCall,
    FunctionOutput,
    ImagePart,
    InputItem,
    Item,
    ItemReference,
    McpItem,
    Message,
    Part,
    TextPart,
)

from .dialect import Dialect
from .shapes import Refusal

MAX_AUDIO_BYTES = 15 * 1024 * 1024
MAX_AUDIO_TEXT = MAX_AUDIO_BYTES // 3 * 4 + 4
_IMAGE_URLS = ("data:image/", "https://", "http://")
_MCP_OWN = ("type", "object", "id")
_CALL_RESULT: Mapping[str, Any] = {"approval_request_id": None, "output": None, "error": None}  # some clients insist


def audio_bytes(text: str | bytes, path: str) -> bytes:
    """Base64 to bytes; broken text and more than 15 MiB are refused."""
    if len(text) > MAX_AUDIO_TEXT:  # without decoding it
        raise too_much_audio(path)
    try:
        audio = binascii.a2b_base64(text, strict_mode=bool(text))
    except (binascii.Error, ValueError):
        message = f"Invalid '{path}'. Expected base64-encoded audio bytes, but got an invalid value."
        raise Refusal("invalid_value", message, path) from None
    if len(audio) > MAX_AUDIO_BYTES:
        raise too_much_audio(path)
    return audio


def too_much_audio(path: str) -> Refusal:
    """The refusal of more audio than one event may bring."""
    return Refusal("invalid_value", f"Invalid '{path}': more than 15 MiB of audio in one event.", path)


def read_item(wire: Mapping[str, Any], path: str) -> Item:
    """An item a client wants to add; the shape was checked before."""
    item_id, kind = wire.get("id") or "", wire["type"]
    if kind == "message":
        parts = tuple(_read_part(part, f"{path}.content[{number}]") for number, part in enumerate(wire["content"]))
        if wire["role"] == "assistant":
            parts = tuple(_as_text(part) for part in parts)
        return Message(item_id, wire["role"], parts)
    if kind == "function_call":
        return FunctionCall(item_id, wire.get("call_id") or "", wire["name"], wire["arguments"])
    if kind == "function_call_output":
        return FunctionOutput(item_id, wire["call_id"], wire["output"])
    return McpItem(item_id, kind, {name: value for name, value in wire.items() if name not in _MCP_OWN})


def read_input(wire: Mapping[str, Any], path: str) -> InputItem:
    """An item of the own context of one response; may refer to one of the conversation."""
    return ItemReference(wire["id"]) if wire["type"] == "item_reference" else read_item(wire, path)


def _read_part(wire: Mapping[str, Any], path: str) -> Part:
    kind = wire["type"]
    if kind in {"input_text", "output_text", "text"}:
        return TextPart(wire["text"])
    if kind == "input_image":
        if not wire["image_url"].startswith(_IMAGE_URLS):
            message = f"Invalid '{path}.image_url'. Expected a data URL of an image, or the URL of one."
            raise Refusal("invalid_value", message, f"{path}.image_url")
        return ImagePart(wire["image_url"], wire.get("detail"))
    audio = wire.get("audio")
    return AudioPart(wire.get("transcript"), audio=audio_bytes(audio, f"{path}.audio") if audio else None)


def _as_text(part: Part) -> Part:
    """Words the assistant once spoke come back as text; its sound does not."""
    if isinstance(part, AudioPart) and part.audio is None:
        return TextPart(part.transcript or "")
    return part


def write_item(item: Item, dialect: Dialect) -> dict[str, Any]:
    """The item as JSON; keys without a value are left out, as strict clients want it."""
    if isinstance(item, McpItem):
        empty = _CALL_RESULT if item.kind == "mcp_call" else {}
        return {"id": item.id, "type": item.kind, **empty, **item.fields}
    head = {"id": item.id, "object": "realtime.item", "status": item.status}
    if isinstance(item, FunctionCall):
        return {
            **head,
            "type": "function_call",
            "name": item.name,
            "call_id": item.call_id,
            "arguments": item.arguments,
        }
    if isinstance(item, FunctionOutput):
        return {**head, "type": "function_call_output", "call_id": item.call_id, "output": item.output}
    write = _write_assistant if item.role == "assistant" else _write_input
    return {
        **head,
        "type": "message",
        "role": item.role,
        "content": [write(part, dialect) for part in item.content],
    }


def _write_input(part: Part, _dialect: Dialect) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": part.url, **({"detail": part.detail} if part.detail else {})}
    audio = {} if part.audio is None else {"audio": base64.b64encode(part.audio).decode("ascii")}
    return {"type": "input_audio", "transcript": part.transcript, **audio}


def _write_assistant(part: Part, dialect: Dialect) -> dict[str, Any]:
    prefix = "output_" if dialect is Dialect.GA else ""
    return {**write_part(part), "type": f"{prefix}{'audio' if isinstance(part, AudioPart) else 'text'}"}


def write_part(part: Part) -> dict[str, Any]:
    """A content part of a response: `text` or `audio` in every dialect."""
    if isinstance(part, AudioPart):
        words: dict[str, Any] = {} if part.transcript is None else {"transcript": part.transcript}
        if part.audio is not None:
            words["audio"] = base64.b64encode(part.audio).decode("ascii")
        return {"type": "audio", **words}
    return {"type": "text", "text": part.text if isinstance(part, TextPart) else ""}
