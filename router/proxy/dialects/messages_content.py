"""Anthropic's `system` and `messages` -> chat messages.

A user's message may hold the results of tools beside what the user says: they become messages of their own and come
first, as a chat wants it. Every refusal names the block by its place.
"""

import orjson

from router.proxy.documents import JsonObject, wrong_type
from router.proxy.faults import refused

from .shape import need, objects, one_of, unsupported
from .transcript import Part, Transcript, text_part

ROLES = ("user", "assistant", "system")
BLOCKS = ("text", "image", "document", "search_result", "tool_use", "tool_result", "thinking")


def system_text(document: JsonObject) -> str | None:
    """The instructions: a text, or the texts of blocks."""
    system = document.get("system")
    if system is None or isinstance(system, str):
        return system
    if not isinstance(system, list):
        raise wrong_type("system", system, (str, list))
    return _texts(list(objects(system, "system")), "\n\n")


def read_messages(messages: list[object], system: str | None) -> list[JsonObject]:
    """The conversation. Raises Refusal 400 that names the place."""
    transcript = Transcript()
    if system:
        transcript.instruct(system)
    if not messages:
        raise refused(400, "messages is empty; send at least one message", code="empty_array", param="messages")
    for where, message in objects(messages, "messages"):
        role = need(message, "role", str, f"{where}.")
        blocks = _blocks(message, f"{where}.content")
        match role:
            case "user":
                _user(transcript, blocks)
            case "assistant":
                _assistant(transcript, blocks)
            case "system":
                transcript.instruct(_texts(blocks, "\n\n"))
            case other:
                raise one_of(f"{where}.role", other, ROLES)
    return transcript.end()


def _blocks(holder: JsonObject, where: str) -> list[tuple[str, JsonObject]]:
    content = holder.get("content")
    if isinstance(content, str):
        return [(where, {"type": "text", "text": content})]
    if not isinstance(content, list):
        raise wrong_type(where, content, (str, list))
    return list(objects(content, where))


def _texts(blocks: list[tuple[str, JsonObject]], between: str) -> str:
    return between.join(need(block, "text", str, f"{where}.") for where, block in blocks)


def _user(transcript: Transcript, blocks: list[tuple[str, JsonObject]]) -> None:
    said: list[Part] = []
    for where, block in blocks:
        if block.get("type") == "tool_result":
            call_id = need(block, "tool_use_id", str, f"{where}.")
            inner = [] if block.get("content") is None else _blocks(block, f"{where}.content")
            transcript.result(call_id, [part for place, one in inner for part in _parts(one, place)])
        else:
            said += _parts(block, where)
    if said:
        transcript.ask(said)


def _assistant(transcript: Transcript, blocks: list[tuple[str, JsonObject]]) -> None:
    if said := _texts([(where, block) for where, block in blocks if block.get("type") == "text"], ""):
        transcript.answer(said)
    for where, block in blocks:
        kind = need(block, "type", str, f"{where}.")
        if kind == "tool_use":
            call_id, name = (need(block, field, str, f"{where}.") for field in ("id", "name"))
            arguments = orjson.dumps(need(block, "input", dict, f"{where}.")).decode()
            transcript.call(call_id, name, arguments)
        elif kind not in ("text", "thinking", "redacted_thinking"):
            raise _unknown(where, kind)


def _parts(block: JsonObject, where: str) -> list[Part]:
    match need(block, "type", str, f"{where}."):
        case "text":
            return [text_part(need(block, "text", str, f"{where}."))]
        case "image":
            return [{"type": "image_url", "image_url": {"url": _address(block, where)}}]
        case "document":
            return _document(block, where)
        case "search_result":
            named = [need(block, name, str, f"{where}.") for name in ("title", "source")]
            return [text_part("\n".join([*named, _texts(_blocks(block, f"{where}.content"), "\n")]))]
        case other:
            raise _unknown(where, other)


def _address(block: JsonObject, where: str) -> str:
    """Where a picture is: a web address, or the picture itself as one."""
    source = need(block, "source", dict, f"{where}.")
    match need(source, "type", str, f"{where}.source."):
        case "url":
            return need(source, "url", str, f"{where}.source.")
        case "base64":
            media, content = (need(source, name, str, f"{where}.source.") for name in ("media_type", "data"))
            return f"data:{media};base64,{content}"
        case other:
            raise _source(where, other)


def _document(block: JsonObject, where: str) -> list[Part]:
    source = need(block, "source", dict, f"{where}.")
    match need(source, "type", str, f"{where}.source."):
        case "text":
            return [text_part(need(source, "data", str, f"{where}.source."))]
        case "content":
            inner = _blocks(source, f"{where}.source.content")
            return [part for place, one in inner for part in _parts(one, place)]
        case "base64":
            name = block.get("title") or "document.pdf"
            return [{"type": "file", "file": {"filename": name, "file_data": _address(block, where)}}]
        case other:
            raise _source(where, other)


def _unknown(where: str, kind: str) -> Exception:
    return one_of(f"{where}.type", kind, BLOCKS)


def _source(where: str, kind: str) -> Exception:
    return unsupported(f"{where}.source.type", f"{kind[:64]!r} is not read here; send the content itself (base64)")
