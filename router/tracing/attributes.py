"""Attributes of spans after the GenAI semantic conventions, v1.41.0 (in development), and our own below `rr.`.

No content: prompts only where they were switched on, answers never.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policies import Attempt, Outcome, Target
from router.cost import cost_usd, tokens_of
from router.record import Record

Attributes = dict[str, str | int | float | bool]
OPERATIONS = {
    "chat": "chat", "completions": "text_completion", "embeddings": "embeddings", "moderations": "moderation",
    "images": "image_generation", "audio": "speech", "stt": "transcription", "tts": "speech",
}  # fmt: skip
PROVIDERS = {  # our provider name -> the well-known value of the conventions
    "azure": "azure.ai.openai", "bedrock": "aws.bedrock", "gemini": "gcp.gemini", "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai", "xai": "x_ai", "watsonx": "ibm.watsonx.ai",
}  # fmt: skip
NO_ERROR = (Outcome.SUCCESS, Outcome.CANCELLED_BY_CLIENT)


def operation_of(kind: str) -> str:
    """`gen_ai.operation.name` of a kind of request."""
    return OPERATIONS.get(kind, kind)


def begun(record: Record) -> Attributes:
    """What is known of a request when it is decided."""
    decision = record.decision
    known: dict[str, str | int | float | bool | None] = {
        "gen_ai.operation.name": operation_of(record.kind),
        "gen_ai.request.model": decision.requested[:200],
        "rr.decision.reason": decision.reason.value,
        "rr.router": decision.router,
        "rr.route.id": decision.route_id,
        "rr.variant.id": decision.variant_id,
        "rr.experiment": decision.experiment,
        "rr.generation.id": record.generation_id,
        "rr.request.id": record.request_id,
    }
    return {name: value for name, value in known.items() if value is not None}


def called(target: Target, kind: str, number: int) -> Attributes:
    """What is known of a call when it goes out; `number` counts from 0."""
    return {
        "gen_ai.operation.name": operation_of(kind),
        "gen_ai.provider.name": PROVIDERS.get(target.provider, target.provider),
        "gen_ai.request.model": target.model,
        "rr.attempt.index": number,
    }


def settled(attempt: Attempt) -> Attributes:
    """How a call ended."""
    known: Attributes = {"rr.outcome": attempt.outcome.value}
    if attempt.outcome not in NO_ERROR:
        known["error.type"] = attempt.outcome.value
    if attempt.status_code is not None:
        known["http.response.status_code"] = attempt.status_code
    if attempt.first_token_s is not None:
        known["gen_ai.response.time_to_first_chunk"] = max(0.0, attempt.first_token_s - attempt.started_s)
    if attempt.stage is not None:
        known["rr.stage"] = attempt.stage
    return known


def finished(record: Record) -> Attributes:
    """How a request ended."""
    known: Attributes = {"rr.attempts": len(record.attempts)} | used(record)
    if record.served is not None:
        known["gen_ai.response.model"] = record.served.target.name
        cost = cost_usd(record.served.target.prices, tokens_of(record.usage))
        if cost is not None:
            known["rr.cost_usd"] = cost
    if record.status is not None:
        known["http.response.status_code"] = record.status
    if record.outcome is not None and record.outcome not in NO_ERROR:
        known["error.type"] = record.outcome.value
    return known


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
