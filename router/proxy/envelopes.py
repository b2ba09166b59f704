"""Which envelope a refusal wears: Anthropic's at Anthropic's addresses, OpenAI's everywhere else."""

import orjson

from router.refusal import Refusal

from .dialects.messages_answer import in_envelope

ANTHROPIC = ("/v1/messages", "/messages")


def envelope(path: str, refusal: Refusal, request_id: str) -> bytes:
    """A refusal's body."""
    if not path.startswith(ANTHROPIC):
        return refusal.body()
    return orjson.dumps(in_envelope(refusal.document(), refusal.status, request_id))
