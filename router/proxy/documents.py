"""JSON bodies: read strictly, checked for shape, refused with the place and the remedy.

Only what the router itself reads is checked; every other field, known or not, passes through untouched and is the
provider's to judge. A key that is written twice has its last value, here and for the provider: bodies are written anew.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from router.metadata import check_metadata
from router.refusal import Refusal

from .faults import refused

JsonObject = dict[str, Any]
DEEPEST = 250
LONGEST_USER = 512
LONGEST_MODEL = 256

NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
SHAPES: Mapping[str, tuple[type, ...]] = {
    "stream": (bool,),
    "stream_options": (dict,),
    "user": (str,),
    "metadata": (dict,),
    "models": (list,),
    "sort": (list,),
    "ignore": (list,),
    "provider": (dict,),
    "fallback": (dict,),
    "prompt_variables": (dict,),
    "reasoning": (dict,),
    "web_search": (dict,),
    "extra_body": (dict,),
    "tools": (list,),
    "tool_choice": (str, dict),
    "response_format": (dict,),
    "temperature": (int, float),
    "top_p": (int, float),
    "n": (int,),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "seed": (int,),
    "stop": (str, list),
}


def parse(body: bytes) -> JsonObject:
    """A body as a JSON object. Raises Refusal 400 that says where it breaks."""
    if not body.strip():
        raise refused(400, "The request has no body; send a JSON object.", code="invalid_json")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        message = f"The body is not valid JSON: {_reason(fault)} (line {fault.lineno}, column {fault.colno})."
        raise refused(400, message, code="invalid_json") from None
    if not isinstance(document, dict):
        raise refused(400, f"The body must be a JSON object, is {_name(document)}.", code="invalid_json")
    if len(body) > DEEPEST and body.count(b"[") + body.count(b"{") > DEEPEST:
        _check_depth(document)
    return document


def check_depth(body: bytes, document: JsonObject) -> None:
    """Refuse what could not be written again once it is told in another API's words, which nest a little deeper."""
    if body.count(b"[") + body.count(b"{") > DEEPEST - 8:
        _check_depth({"wrapped": [[[[document]]]]})


def _check_depth(document: JsonObject) -> None:
    """Refuse what can be read and not be written again for a provider."""
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        message = f"The body is nested too deep; at most {DEEPEST} levels are accepted."
        raise refused(400, message, code="invalid_json") from None


def check_chat(document: JsonObject, *, messages_may_be_empty: bool = False) -> None:
    """Refuse (400, with `param`) a chat completion that the router cannot read."""
    check_model(document)
    _check_messages(document, may_be_empty=messages_may_be_empty)
    _check_shapes(document, "")
    _check_bounds(document)
    extra = document.get("extra_body")
    if extra:
        _check_shapes(extra, "extra_body.")
    check_metadata(document.get("metadata"), "metadata")
    if extra:
        check_metadata(extra.get("metadata"), "extra_body.metadata")


def check_model(document: JsonObject) -> str:
    """The `model` of a request. Raises Refusal 400."""
    model = document.get("model")
    if model is None:
        message = "You must provide a model parameter: 'provider/model', a model, 'auto' or 'router/NAME'."
        raise refused(400, message, code="missing_required_parameter", param="model")
    if not isinstance(model, str):
        raise wrong_type("model", model, (str,))
    if not model.strip() or len(model) > LONGEST_MODEL:
        message = f"model must be a text of 1 to {LONGEST_MODEL} characters"
        raise refused(400, message, code="invalid_value", param="model")
    return model


def wrong_type(param: str, value: Any, wanted: tuple[type, ...]) -> Refusal:
    """OpenAI's sentence for a wrong type."""
    kinds = " or ".join(dict.fromkeys(NAMES[kind] for kind in wanted))
    message = f"Invalid type for '{param}': expected {kinds}, but got {_name(value)} instead."
    return refused(400, message, code="invalid_type", param=param)


def _check_messages(document: JsonObject, *, may_be_empty: bool) -> None:
    messages = document.get("messages")
    if messages is None and not may_be_empty:
        raise refused(
            400, "Missing required parameter: 'messages'.", code="missing_required_parameter", param="messages"
        )
    if messages is None:
        return
    if not isinstance(messages, list):
        raise wrong_type("messages", messages, (list,))
    if not messages and not may_be_empty:
        message = "Invalid 'messages': empty list. Send at least one message."
        raise refused(400, message, code="empty_array", param="messages")
    for index, item in enumerate(messages):
        if not isinstance(item, dict):
            raise wrong_type(f"messages[{index}]", item, (dict,))
        if item.get("role").__class__ is str and item.get("content").__class__ is str:
            continue  # the usual message
        role, content = item.get("role"), item.get("content")
        if not isinstance(role, str):
            raise wrong_type(f"messages[{index}].role", role, (str,))
        if content is not None and not isinstance(content, str | list):
            raise wrong_type(f"messages[{index}].content", content, (str, list))
        if content.__class__ is list:
            for place, part in enumerate(content):
                if not isinstance(part, dict):
                    raise wrong_type(f"messages[{index}].content[{place}]", part, (dict,))


def _check_shapes(document: JsonObject, prefix: str) -> None:
    for name in SHAPES.keys() & document.keys():
        value, wanted = document[name], SHAPES[name]
        if value is None:
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise wrong_type(prefix + name, value, wanted)
        if name == "tools":
            for index, tool in enumerate(document[name]):
                if not isinstance(tool, dict):
                    raise wrong_type(f"{prefix}tools[{index}]", tool, (dict,))


def _check_bounds(document: JsonObject) -> None:
    user = document.get("user")
    if user is not None and len(user) > LONGEST_USER:
        message = f"user has {len(user)} characters, at most {LONGEST_USER} are allowed"
        raise refused(400, message, code="string_above_max_length", param="user")
    for name in ("max_tokens", "max_completion_tokens", "n"):
        value = document.get(name)
        if value is not None and value < 1:
            raise refused(400, f"{name} must be at least 1, is {value}", code="integer_below_min_value", param=name)


def _name(value: Any) -> str:
    if value is None:
        return "null"
    return NAMES.get(type(value), type(value).__name__)


def _reason(fault: orjson.JSONDecodeError) -> str:
    reason = str(fault.msg)
    if "surrogate" in reason:
        return f"{reason}; a text was cut inside a character, send U+FFFD instead of half of it"
    return reason
