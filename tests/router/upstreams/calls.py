"""Building calls and reading replies in tests of upstreams."""

import json

from policies import Target, Timeouts
from router.upstreams.base import Call


def chat(model: str, text: str = "hello there", *, provider: str = "demo", timeouts: Timeouts | None = None, **fields):
    """A chat completion call for `provider/model`; `messages` in `fields` wins over `text`."""
    document = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    return Call(
        target=Target(provider, model),
        path="/chat/completions",
        body=json.dumps(document).encode(),
        document=document,
        stream=bool(document.get("stream")),
        timeouts=timeouts or Timeouts(),
    )


def events(body: bytes) -> list:
    """The JSON of every SSE event, `[DONE]` as that string."""
    lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def deltas(chunks: list, index: int = 0) -> str:
    """The text of one choice of a stream."""
    parts = [choice for chunk in chunks if chunk != "[DONE]" for choice in chunk.get("choices", ())]
    return "".join(part["delta"].get("content") or "" for part in parts if part["index"] == index)
