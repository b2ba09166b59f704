"""Both APIs in front of chat as the tests ask them, and how their answers are read."""

import pytest

from .house import visitor

DOORS = {
    "/v1/responses": {"model": "demo/fast", "input": "say hello world"},
    "/v1/messages": {
        "model": "demo/fast",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": "say hello world"}],
    },
}
ROUTING = {"/v1/responses": "routing", "/v1/messages": "metadata"}
BREAKS = {"/v1/responses": "response.failed", "/v1/messages": "error"}
both = pytest.mark.parametrize("path", sorted(DOORS))


async def ask(app, path, *, key="secret-web", headers=None, **more):
    async with visitor(app, key) as client:
        return await client.post(path, json=DOORS[path.partition("?")[0]] | more, headers=headers or {})


def text_of(answer):
    output = answer.get("output") or [answer]
    return "".join(part.get("text", "") for item in output for part in item.get("content") or ())


def text_in(stream):
    deltas = [
        event["delta"] for event in stream if event["type"] in ("response.output_text.delta", "content_block_delta")
    ]
    return "".join(delta["text"] if isinstance(delta, dict) else delta for delta in deltas)


def error_of(answer):
    """(type, message) in whichever envelope."""
    body = answer.json()
    assert body["error"].keys() == ({"type", "message"} if body.get("type") else {"type", "message", "param", "code"})
    return body["error"]
