"""The hot paths in OpenAPI, written by hand because FastAPI does not serve them."""

from typing import Any

Json = dict[str, Any]
JSON_TYPE = "application/json"
SCALARS: Json = {"type": ["string", "number", "boolean", "null"], "maxLength": 512}
TTFT = r"^(?:(?:[3-9][0-9]{2}|[1-9][0-9]{3,4})ms|[1-9][0-9]?(?:\.[0-9]{1,6})?s|[1-5][0-9]{2}s)$"  # 300ms to 599s
MODEL: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "pattern": r"[^\s\x1c-\x1f\x85]",
    "description": "provider/model, a model, auto, or router/NAME",
}
TEXTS: Json = {"type": ["array", "null"], "maxItems": 64, "items": {"type": "string", "minLength": 1}}
OBJECT: Json = {"type": ["object", "null"]}
ORDERS = ["price", "latency", "throughput", "intelligence", "math", "coding"]
ROUTING: Json = {
    "models": {**TEXTS, "description": "Fallbacks in order; with auto: the pool"},
    "sort": {**TEXTS, "items": {"enum": ORDERS}},
    "ignore": TEXTS,
    "provider": {**OBJECT, "properties": {"order": TEXTS, "allow_fallbacks": {"type": ["boolean", "null"]}}},
    "fallback": {
        **OBJECT,
        "properties": {"ttft_timeout": {"type": ["string", "null"], "pattern": TTFT, "examples": ["800ms"]}},
    },
    "prompt_variables": OBJECT,
    "reasoning": OBJECT,
    "web_search": OBJECT,
    "metadata": {
        **OBJECT,
        "maxProperties": 16,
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": {"anyOf": [SCALARS, {"type": "array", "maxItems": 64, "items": SCALARS}]},
        "description": "Variables of the routers' conditions",
    },
}

PARTS: Json = {"type": "array", "items": {"type": "object"}}
MESSAGE: Json = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": {"type": "string"}, "content": {"anyOf": [{"type": ["string", "null"]}, PARTS]}},
}
MESSAGES: Json = {"type": "array", "minItems": 1, "items": MESSAGE}
RESPONSE: Json = {
    "input": {"type": ["string", "array"], "items": {"type": "object"}, "minItems": 1},
    "instructions": {"type": ["string", "null"]},
}
MESSAGED: Json = {"messages": MESSAGES, "system": {"type": ["string", "array"]}}
LIMIT: Json = {"type": "integer", "minimum": 1}
REFUSED: Json = {"description": "Refused", "content": {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}}}


def hot_schemas() -> Json:
    """Components the hot paths refer to."""
    text: Json = {"type": ["string", "null"]}
    error = {"type": "object", "properties": {"message": {"type": "string"}, "type": text, "param": text, "code": text}}
    return {
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": error, "metadata": {"type": "object"}},
        },
        "ChatCompletionRequest": _asked(["messages"], {"messages": MESSAGES}),
        "ResponseRequest": _asked(["input"], {**RESPONSE, "max_output_tokens": LIMIT}),
        "ResponseCountRequest": _named(["input"], RESPONSE),
        "MessageRequest": _asked(["messages", "max_tokens"], {**MESSAGED, "max_tokens": LIMIT}),
        "MessageCountRequest": _named(["messages"], MESSAGED),
    }


def _asked(required: list[str], own: Json) -> Json:
    """What an answer is asked for with; the routing fields stand at both places."""
    user = {"type": ["string", "null"], "maxLength": 512, "description": "Makes the assignment of a variant sticky"}
    stream = {"type": ["boolean", "null"], "default": False}
    extra = {**OBJECT, "properties": ROUTING}
    return _named(required, {**own, "stream": stream, "user": user, **ROUTING, "extra_body": extra})


def _named(required: list[str], own: Json) -> Json:
    """A body with a model; what else is in it is the provider's."""
    known = {"model": MODEL, **own}
    return {"type": "object", "required": ["model", *required], "additionalProperties": True, "properties": known}


def _body(schema: str) -> Json:
    return {"content": {JSON_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def hot_paths() -> Json:
    """Paths served in front of FastAPI."""
    chat_body = _body("ChatCompletionRequest")
    paths: Json = {
        "/v1/chat/completions": {
            "post": _operation("Chat completion, JSON or SSE", "inference", chat_body, stream=True)
        },
        "/v1/responses": {
            "post": _operation("OpenAI's Responses, JSON or SSE", "inference", _body("ResponseRequest"), stream=True)
        },
        "/v1/messages": {
            "post": _operation("Anthropic's Messages, JSON or SSE", "inference", _body("MessageRequest"), stream=True)
        },
        "/v1/responses/input_tokens": {
            "post": _operation("An estimate of a response's input tokens", "inference", _body("ResponseCountRequest"))
        },
        "/v1/messages/count_tokens": {
            "post": _operation("An estimate of a message's tokens", "inference", _body("MessageCountRequest"))
        },
        "/v1/router/explain": {"post": _operation("Decision and plan; nothing is called", "inference", chat_body)},
        "/v1/router/feedback": {"post": _feedback()},
        "/v1/router/requests": {"get": _operation("Recent requests: decisions and attempts", "operations")},
        "/v1/router/requests/{id}": {"get": _with_id(_operation("One recent request", "operations"))},
        "/v1/models": {"get": _operation("Models and routers", "inference")},
        "/v1/models/{id}": {"get": _with_id(_operation("One model", "inference"))},
        "/llm/v1alpha/models": {"get": _operation("Catalogue in Inworld's shape", "inference")},
    }
    for path, (summary, body) in _passed().items():
        paths[path] = {"post": _operation(summary, "inference", body)}
    for name, summary in (
        ("livez", "The process runs"),
        ("readyz", "Ready to serve"),
        ("healthz", "The same as /readyz"),
        ("health", "The same as /readyz"),
        ("version", "Version and configuration hash"),
        ("metrics", "Metrics for Prometheus"),
    ):
        paths[f"/{name}"] = {"get": {**_operation(summary, "operations"), "security": []}}
    paths["/metrics"]["get"]["responses"]["200"]["content"] = {
        kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")
    }
    return paths


def _passed() -> dict[str, tuple[str, Json]]:
    """Calls whose bodies are the provider's own: what each is for, and how its body comes."""
    texts: Json = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "minItems": 1},
        ]
    }

    def body(kind: str, *required: str, **own: Json) -> Json:
        known = {"model": MODEL, **own}
        return {"content": {kind: {"schema": {"type": "object", "required": [*required], "properties": known}}}}

    unnamed: Json = {**MODEL, "type": ["string", "null"]}
    in_json, usual = body(JSON_TYPE, "model"), body(JSON_TYPE, model=unnamed)
    form, usual_form = body("multipart/form-data", "model"), body("multipart/form-data")
    return {
        "/v1/completions": ("Legacy completion, JSON or SSE", in_json),
        "/v1/embeddings": ("Embeddings", body(JSON_TYPE, "model", "input", input=texts)),
        "/v1/moderations": ("Moderation", body(JSON_TYPE, "input", input=texts, model=unnamed)),
        "/v1/audio/speech": ("Text to speech", in_json),
        "/v1/audio/transcriptions": ("Speech to text", form),
        "/v1/audio/translations": ("Speech to English text", form),
        "/v1/images/generations": ("Images from a text", usual),
        "/v1/images/edits": ("Images from an image and a text", usual_form),
        "/v1/images/variations": ("Images like an image", usual_form),
    }


def _feedback() -> Json:
    """What came of a request, or of a unit."""
    text: Json = {"type": "string", "minLength": 1, "maxLength": 512}
    about = {
        "type": "object",
        "additionalProperties": False,
        "required": ["metric", "value"],
        "oneOf": [{"required": ["request_id"]}, {"required": ["unit"]}],
        "properties": {
            "request_id": {**text, "description": "generation_id or x-request-id of a request of the same key"},
            "unit": {**text, "description": "Whom the router dealt a variant, e.g. the user; stored as a hash"},
            "metric": {**text, "description": "One of experiment.metrics of the router"},
            "value": {"type": ["number", "boolean"]},
            "idempotency_key": {**text, "description": "A repetition counts once"},
        },
    }
    operation = _operation("An outcome, for the experiment", "experiments", {"content": {JSON_TYPE: {"schema": about}}})
    operation["responses"]["202"] = operation["responses"].pop("200")
    return operation


def _operation(summary: str, tag: str, body: Json | None = None, *, stream: bool = False) -> Json:
    answer: Json = {JSON_TYPE: {"schema": {"type": "object"}}}
    if stream:
        answer["text/event-stream"] = {"schema": {"type": "string"}}
    operation: Json = {
        "summary": summary,
        "tags": [tag],
        "responses": {"200": {"description": "OK", "content": answer}, "default": REFUSED},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, **body}
    return operation


def _with_id(operation: Json) -> Json:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {**operation, "parameters": [parameter]}
