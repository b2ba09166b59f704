"""Attributes of spans after the GenAI semantic conventions, v1.41.0 (in development), and our own below `rr.`.

No content: prompts only where they were switched on, answers never.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policies import Attempt, Facts, Outcome
from router.cost import cost_usd, tokens_of
from router.record import Record

Value = str | int | float | bool
Attributes = dict[str, Value]
OPERATIONS = {
    "chat": "chat", "completions": "text_completion", "embeddings": "embeddings", "moderations": "moderation",
    "images": "image_generation", "audio": "speech", "stt": "transcription", "tts": "speech",
}  # fmt: skip
PROVIDERS = {  # our provider name -> the well-known value of the conventions
    "azure": "azure.ai.openai", "azure_ai": "azure.ai.inference", "bedrock": "aws.bedrock", "gemini": "gcp.gemini",
    "google-ai-studio": "gcp.gemini", "google-vertex": "gcp.vertex_ai", "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai", "watsonx": "ibm.watsonx.ai", "xai": "x_ai",
}  # fmt: skip
NO_ERROR = (Outcome.SUCCESS, Outcome.CANCELLED_BY_CLIENT)


def operation_of(kind: str) -> str:
    """`gen_ai.operation.name` of a kind of request."""
    return OPERATIONS.get(kind, kind)


def error_of(outcome: Outcome) -> str | None:
    """`error.type`: our class of what went wrong; None where nothing did."""
    return None if outcome in NO_ERROR else outcome.value


def of_request(record: Record, shown: Facts | None) -> Attributes:
    """A request that is over; `shown` where its prompt may be seen."""
    decision, served = record.decision, record.served
    known: dict[str, Value | None] = {
        "gen_ai.operation.name": operation_of(record.kind),
        "gen_ai.request.model": decision.requested[:200],
        "gen_ai.request.stream": record.streamed or None,  # told where it is true
        "gen_ai.response.model": None if served is None else served.target.name,
        "http.response.status_code": record.status,
        "error.type": None if record.outcome is None else error_of(record.outcome),
        "rr.attempts": len(record.attempts),
        "rr.cost_usd": None if served is None else cost_usd(served.target.prices, tokens_of(record.usage)),
        "rr.decision.reason": decision.reason.value,
        "rr.router": decision.router,
        "rr.experiment": decision.experiment,
        "rr.generation.id": record.generation_id,
        "rr.request.id": record.request_id,
    }
    prompted = {} if shown is None else prompt(shown.messages)
    return _said(known | _chosen(record)) | used(record) | prompted


def of_attempt(attempt: Attempt, record: Record, number: int) -> Attributes:
    """A call that ended, the request's `number`th, counted from 0."""
    target, first_s = attempt.target, attempt.first_token_s if record.streamed else None
    known: dict[str, Value | None] = {
        "gen_ai.operation.name": operation_of(record.kind),
        "gen_ai.provider.name": PROVIDERS.get(target.provider, target.provider),
        "gen_ai.request.model": target.model,
        "gen_ai.request.stream": record.streamed or None,
        "gen_ai.response.time_to_first_chunk": None if first_s is None else max(0.0, first_s - attempt.started_s),
        "http.response.status_code": attempt.status_code,
        "error.type": error_of(attempt.outcome),
        "rr.attempt.index": number,
        "rr.outcome": attempt.outcome.value,
        "rr.stage": attempt.stage,
    }
    return _said(known | _chosen(record)) | (used(record) if attempt.success else {})


def _chosen(record: Record) -> dict[str, Value | None]:
    return {"rr.route.id": record.decision.route_id, "rr.variant.id": record.decision.variant_id}


def _said(known: Mapping[str, Value | None]) -> Attributes:
    return {name: value for name, value in known.items() if value is not None}


def used(record: Record) -> Attributes:
    """Tokens as the provider counted them."""
    tokens = tokens_of(record.usage)
    if tokens is None:
        return {}
    return {"gen_ai.usage.input_tokens": tokens.input, "gen_ai.usage.output_tokens": tokens.output}


def prompt(messages: Sequence[Mapping[str, Any]]) -> Attributes:
    """The messages of a request in the conventions' JSON, text parts only. For those who switched content on."""
    shown = [
        {"role": message.get("role"), "parts": [{"type": "text", "content": text} for text in _texts(message)]}
        for message in messages
    ]
    return {"gen_ai.input.messages": json.dumps(shown, ensure_ascii=False)}


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [str(part["text"]) for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
