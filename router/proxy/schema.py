"""The hot paths in OpenAPI, written by hand because FastAPI does not serve them."""

from typing import Any

Json = dict[str, Any]
JSON_TYPE = "application/json"
ROUTING: Json = {
    "models": {"type": "array", "items": {"type": "string"}, "description": "Fallbacks in order; with auto: the pool"},
    "sort": {
        "type": "array",
        "items": {"enum": ["price", "latency", "throughput", "intelligence", "math", "coding"]},
    },
    "ignore": {"type": "array", "items": {"type": "string"}},
    "provider": {
        "type": "object",
        "properties": {
            "order": {"type": "array", "items": {"type": "string"}},
            "allow_fallbacks": {"type": "boolean", "default": True},
        },
    },
    "fallback": {"type": "object", "properties": {"ttft_timeout": {"type": "string", "examples": ["800ms"]}}},
    "prompt_variables": {"type": "object"},
    "reasoning": {"type": "object"},
    "web_search": {"type": "object"},
    "metadata": {
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
        "description": "Variables of the routers' conditions",
    },
}

MESSAGES: Json = {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}}
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
        "ResponseRequest": _asked(
            ["input"],
            {
                "input": {"type": ["string", "array"], "items": {"type": "object"}, "minItems": 1},
                "instructions": {"type": "string"},
                "max_output_tokens": LIMIT,
            },
        ),
        "MessageRequest": _asked(
            ["messages", "max_tokens"],
            {"messages": MESSAGES, "system": {"type": ["string", "array"]}, "max_tokens": LIMIT},
        ),
    }


def _asked(required: list[str], own: Json) -> Json:
    """What an answer is asked for with; the routing fields stand at both places."""
    return {
        "type": "object",
        "required": ["model", *required],
        "additionalProperties": True,
        "properties": {
            "model": {"type": "string", "description": "provider/model, a model, auto, or router/NAME"},
            **own,
            "stream": {"type": "boolean", "default": False},
            "user": {"type": "string", "description": "Makes the assignment of a variant sticky"},
            **ROUTING,
            "extra_body": {"type": "object", "properties": ROUTING},
        },
    }


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
            "post": _operation("An estimate of a response's input tokens", "inference", _body("ResponseRequest"))
        },
        "/v1/messages/count_tokens": {
            "post": _operation("An estimate of a message's tokens", "inference", _body("MessageRequest"))
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
    in_json = {"content": {JSON_TYPE: {"schema": {"type": "object"}}}}
    form = {"content": {"multipart/form-data": {"schema": {"type": "object"}}}}
    return {
        "/v1/completions": ("Legacy completion, JSON or SSE", in_json),
        "/v1/embeddings": ("Embeddings", in_json),
        "/v1/moderations": ("Moderation", in_json),
        "/v1/audio/speech": ("Text to speech", in_json),
        "/v1/audio/transcriptions": ("Speech to text", form),
        "/v1/audio/translations": ("Speech to English text", form),
        "/v1/images/generations": ("Images from a text", in_json),
        "/v1/images/edits": ("Images from an image and a text", form),
        "/v1/images/variations": ("Images like an image", form),
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
