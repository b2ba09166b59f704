"""A chat document as a client sent it -> what a decision may look at, and the document a provider may see.

Routing fields are taken at top level and inside a literal `extra_body` (there they win, `metadata` merges per key) and
never reach a provider. Every other field passes through untouched, unknown ones too.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal

from policies import Feature, Needs, RoutingOptions
from policies.frozen import frozen

from . import ttft
from .metadata import check_metadata
from .record import Warned
from .refusal import Refusal

ROUTING = frozenset(
    {"models", "metadata", "sort", "ignore", "provider", "fallback", "prompt_variables", "reasoning", "web_search",
     "provider_credentials"}
)  # fmt: skip
OURS = ROUTING | {"extra_body"}
MAX_LISTED = 64
NO_OPTIONS = RoutingOptions()
NO_NEEDS = Needs()
NOT_COMPRESSED = Warned("compression_unavailable", "messages[].compression: nothing is compressed here; sent as it is")
_TOKENS_PER_MESSAGE = 4


@frozen
class Request:
    """A request, checked. `document` is what may be passed on (its `model` still the caller's)."""

    model: str
    document: Mapping[str, Any]
    user: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]] = ()
    prompt_variables: Mapping[str, Any] = field(default_factory=dict)
    options: RoutingOptions = NO_OPTIONS
    needs: Needs = NO_NEEDS
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    wants_usage: bool = False
    warnings: tuple[Warned, ...] = ()


def bad(param: str, message: str) -> Refusal:
    """A field that cannot be as it is."""
    return Refusal(400, f"{param}: {message}", code="invalid_value", param=param)


def parse_chat(document: Mapping[str, Any], *, empty_messages: bool = False) -> Request:
    """Read a chat completion. `empty_messages`: allow none (explain). Raises Refusal 400 that names the field."""
    messages = _messages(document, empty_messages=empty_messages)
    if any("compression" in message for message in messages):
        messages = [{name: part for name, part in message.items() if name != "compression"} for message in messages]
        request = _parse({**document, "messages": messages}, messages, _chat_needs(document, messages))
        return replace(request, warnings=(*request.warnings, NOT_COMPRESSED))
    return _parse(document, messages, _chat_needs(document, messages))


def parse_other(document: Mapping[str, Any]) -> Request:
    """Read the document of any other endpoint: routing fields as in a chat, the rest is the provider's."""
    return _parse(document, [], Needs())


def _parse(document: Mapping[str, Any], messages: list[Mapping[str, Any]], needs: Needs) -> Request:
    model = document.get("model")
    if not isinstance(model, str) or not model.strip():
        raise Refusal(
            400, "model: a model string is required, e.g. 'openai/gpt-5' or 'auto'", code="missing_model", param="model"
        )
    user = document.get("user")
    if user is not None and not isinstance(user, str):
        raise bad("user", f"must be a string, is {_kind(user)}")
    stream = document.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise bad("stream", f"must be true or false, is {_kind(stream)}")
    stream_options = document.get("stream_options")
    if stream_options is not None and not isinstance(stream_options, dict):
        raise bad("stream_options", f"must be an object, is {_kind(stream_options)}")
    wants_usage = bool(stream_options and stream_options.get("include_usage"))
    if OURS.isdisjoint(document):
        return Request(model, document, user, messages=messages, needs=needs, wants_usage=wants_usage)
    routing = _routing(document)
    cleaned = {name: value for name, value in document.items() if name not in OURS}
    metadata = _metadata(routing.get("metadata"))
    if document.get("store") is True and metadata and all(isinstance(value, str) for value in metadata.values()):
        cleaned["metadata"] = metadata
    reasoning = _object(routing, "reasoning")
    if reasoning.get("effort") is not None:
        cleaned["reasoning_effort"] = reasoning["effort"]
    warnings = _dropped(document.get("extra_body"))
    if routing.get("web_search") is not None:
        _object(routing, "web_search")
        warnings += (
            Warned("web_search_unavailable", "web_search: no search engine is configured; answered without it"),
        )
    return Request(
        model=model,
        document=cleaned,
        user=user,
        metadata=metadata,
        messages=messages,
        prompt_variables=_object(routing, "prompt_variables"),
        options=_options(routing),
        needs=needs,
        credentials=_credentials(routing),
        wants_usage=wants_usage,
        warnings=warnings,
    )


def _routing(document: Mapping[str, Any]) -> dict[str, Any]:
    """The routing fields, `extra_body` winning per field and, in `metadata`, per key."""
    routing = {name: document[name] for name in ROUTING.intersection(document)}
    extra = document.get("extra_body")
    if extra is None:
        return routing
    if not isinstance(extra, dict):
        raise bad("extra_body", f"must be an object, is {_kind(extra)}")
    outer = routing.get("metadata")
    routing.update({name: value for name, value in extra.items() if name in ROUTING})
    inner = extra.get("metadata")
    if isinstance(outer, dict) and isinstance(inner, dict):
        routing["metadata"] = {**outer, **inner}
    return routing


def _dropped(extra: Mapping[str, Any] | None) -> tuple[Warned, ...]:
    """What a literal `extra_body` holds besides routing fields goes nowhere: a provider's belong at top level."""
    names = ", ".join(name[:64] for name in sorted(extra.keys() - ROUTING)[:MAX_LISTED]) if extra else ""
    return (Warned("extra_body_ignored", f"extra_body: {names}: not passed on; send at top level"),) if names else ()


def _options(routing: Mapping[str, Any]) -> RoutingOptions:
    provider = _object(routing, "provider")
    allow = provider.get("allow_fallbacks")
    if allow is not None and not isinstance(allow, bool):
        raise bad("provider.allow_fallbacks", f"must be true or false, is {_kind(allow)}")
    fallback = _object(routing, "fallback")
    return RoutingOptions(
        models=_texts(routing.get("models"), "models"),
        sort=_texts(routing.get("sort"), "sort"),
        ignore=_texts(routing.get("ignore"), "ignore"),
        provider_order=_texts(provider.get("order"), "provider.order"),
        allow_fallbacks=allow is not False,
        first_token_s=_first_token_s(fallback.get("ttft_timeout")),
    )


def _first_token_s(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return ttft.seconds(value if isinstance(value, str) else "")
    except ValueError as error:
        raise bad("fallback.ttft_timeout", str(error)) from None


def _metadata(value: Any) -> Mapping[str, Any]:
    check_metadata(value)
    return value or {}


def _credentials(routing: Mapping[str, Any]) -> dict[str, str]:
    """A caller's own keys by provider; never logged, never echoed."""
    keys: dict[str, str] = {}
    for provider, value in _object(routing, "provider_credentials").items():
        param = f"provider_credentials.{provider[:64]}"
        if isinstance(value, dict) and "base_url" in value:
            raise bad(param, "base_url cannot be set per request; configure the provider instead")
        key = value.get("api_key") if isinstance(value, dict) else value
        if not isinstance(key, str) or not key or not (key.isascii() and key.isprintable()):
            raise bad(param, 'must be a key or {"api_key": "..."}')
        keys[provider] = key
    return keys


def _messages(document: Mapping[str, Any], *, empty_messages: bool) -> list[Mapping[str, Any]]:
    messages = document.get("messages")
    if messages is None and empty_messages:
        return []
    if not isinstance(messages, list):
        raise bad("messages", f"must be a list of messages, is {_kind(messages)}")
    if not messages and not empty_messages:
        raise bad("messages", "is empty; at least one message is required")
    for index, message in enumerate(messages):
        if message.__class__ is dict and message.get("role").__class__ is message.get("content").__class__ is str:
            continue  # the usual message
        if not isinstance(message, dict):
            raise bad(f"messages[{index}]", f"must be an object, is {_kind(message)}")
        if not isinstance(message.get("role"), str):
            raise bad(f"messages[{index}].role", "must be a string such as 'user'")
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise bad(f"messages[{index}].content", f"must be a string or a list of parts, is {_kind(content)}")
    return messages


def _chat_needs(document: Mapping[str, Any], messages: list[Mapping[str, Any]]) -> Needs:
    """What a target must be able to do. The prompt's size is an estimate: characters over four."""
    features: set[Feature] = set()
    size = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            size += len(content)
        elif content:
            size += _parts(content, features)
    if document.get("tools") or document.get("functions"):
        features.add(Feature.TOOLS)
    response_format = document.get("response_format")
    if isinstance(response_format, dict) and response_format.get("type") == "json_schema":
        features.add(Feature.JSON_SCHEMA)
    modalities = document.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        features.add(Feature.AUDIO_OUTPUT)
    limit = document.get("max_completion_tokens") or document.get("max_tokens")
    return Needs(
        features=frozenset(features),
        prompt_tokens=size // 4 + _TOKENS_PER_MESSAGE * len(messages),
        max_output_tokens=limit if isinstance(limit, int) and not isinstance(limit, bool) else None,
    )


def _parts(content: list[Any], features: set[Feature]) -> int:
    size = 0
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            text = part.get("text")
            size += len(text) if isinstance(text, str) else 0
        elif kind == "image_url":
            features.add(Feature.VISION)
        elif kind == "input_audio":
            features.add(Feature.AUDIO_INPUT)
    return size


def _object(routing: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = routing.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad(name, f"must be an object, is {_kind(value)}")
    return value


def _texts(value: Any, param: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) and entry for entry in value):
        raise bad(param, "must be a list of non-empty strings")
    if len(value) > MAX_LISTED:
        raise bad(param, f"has {len(value)} entries; {MAX_LISTED} are allowed")
    return tuple(value)


def _kind(value: Any) -> str:
    names: Mapping[type, Literal["null", "a string", "a list", "an object", "a number", "true or false"]] = {
        type(None): "null", str: "a string", list: "a list", dict: "an object", bool: "true or false",
    }  # fmt: skip
    return names.get(type(value), "a number")
