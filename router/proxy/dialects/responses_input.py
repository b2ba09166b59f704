"""The `input` of a Responses request -> chat messages.

Items come in the order of the conversation: messages, function calls, their results. Reasoning items are left out
(a chat has no place for them); items of hosted tools and references to stored items are refused by their place.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from router.proxy.documents import JsonObject, wrong_type

from .responses_tools import one_name
from .shape import may, missing, need, objects, one_of, unsupported
from .transcript import Part, Transcript, joined, text_part

ROLES = ("user", "assistant", "system", "developer")
PARTS = ("input_text", "output_text", "input_image", "input_file", "input_audio", "refusal")
NOT_HERE = "files are not stored here; send the content itself"


def read_input(given: Any, instructions: str | None) -> list[JsonObject]:
    """The conversation. Raises Refusal 400 that names the place."""
    transcript = Transcript()
    if instructions:
        transcript.instruct(instructions)
    if isinstance(given, str):
        transcript.ask([text_part(given)])
    elif isinstance(given, list) and given:
        for where, item in objects(given, "input"):
            _item(transcript, item, f"{where}.")
    elif given is None or given == []:
        raise missing("input")
    else:
        raise wrong_type("input", given, (str, list))
    messages = transcript.end()
    if not messages:
        raise unsupported("input", "holds nothing but reasoning; send at least one message")
    return messages


def _item(transcript: Transcript, item: JsonObject, where: str) -> None:
    match item.get("type") or "message":
        case "message":
            _message(transcript, item, where)
        case "function_call":
            transcript.call(*_called(item, where), need(item, "arguments", str, where))
        case "custom_tool_call":
            arguments = orjson.dumps({"input": need(item, "input", str, where)}).decode()
            transcript.call(*_called(item, where), arguments)
        case "function_call_output" | "custom_tool_call_output":
            call_id = need(item, "call_id", str, where)
            transcript.result(call_id, list(_parts(item, "output", where)))
        case "reasoning":
            pass
        case "item_reference":
            raise unsupported(f"{where}type", "items are not stored here; send the item itself")
        case str(other):
            raise unsupported(f"{where}type", f"{other[:64]!r} is not known here; messages and functions are")
        case other:
            raise wrong_type(f"{where}type", other, (str,))


def _called(item: JsonObject, where: str) -> tuple[str, str]:
    """The id and the name of a call."""
    name = one_name(need(item, "name", str, where), may(item, "namespace", str, where))
    return need(item, "call_id", str, where), name


def _message(transcript: Transcript, item: JsonObject, where: str) -> None:
    role = need(item, "role", str, where)
    if role not in ROLES:
        raise one_of(f"{where}role", role, ROLES)
    parts = list(_parts(item, "content", where))
    if role == "user":
        transcript.ask(parts)
    elif role == "assistant":
        transcript.answer(joined(parts))
    else:
        transcript.instruct(joined(parts, "\n"))


def _parts(item: JsonObject, name: str, where: str) -> Iterator[Part]:
    content = item.get(name)
    if isinstance(content, str):
        yield text_part(content)
    elif isinstance(content, list):
        for place, part in objects(content, where + name):
            yield _part(part, f"{place}.")
    elif content is None:
        raise missing(where + name)
    else:
        raise wrong_type(where + name, content, (str, list))


def _part(part: JsonObject, where: str) -> Part:
    match need(part, "type", str, where):
        case "input_text" | "output_text" | "text":
            return text_part(need(part, "text", str, where))
        case "refusal":
            return text_part(need(part, "refusal", str, where))
        case "input_image":
            if part.get("file_id") is not None:
                raise unsupported(f"{where}file_id", NOT_HERE)
            picture: JsonObject = {"url": need(part, "image_url", str, where)}
            if part.get("detail") is not None:
                picture["detail"] = part["detail"]
            return {"type": "image_url", "image_url": picture}
        case "input_file":
            for name in ("file_id", "file_url"):
                if part.get(name) is not None:
                    raise unsupported(where + name, NOT_HERE)
            name = part.get("filename") or "file.pdf"
            return {"type": "file", "file": {"filename": name, "file_data": need(part, "file_data", str, where)}}
        case "input_audio":
            return {"type": "input_audio", "input_audio": need(part, "input_audio", dict, where)}
        case other:
            raise one_of(f"{where}type", other, PARTS)
