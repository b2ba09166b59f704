"""Chunks of a chat as a provider sends them, and the events a dialect makes of them."""

import orjson

REPORT = {"attempts": [{"model": "demo/fast", "success": True}], "generation_id": "g"}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 6, "cache_creation_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
INTERRUPTED = {
    "error": {"message": "cut", "type": "upstream_error", "param": None, "code": "stream_interrupted"},
    "metadata": REPORT,
}


def chunk(finish=None, *, logprobs=None, **delta):
    return {
        "model": "demo/fast",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}],
    }


def last(usage=USAGE):
    return {"model": "demo/fast", "choices": [], "usage": usage, "metadata": REPORT}


def call(index, name=None, arguments="", call_id=None):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": call_id} if call_id else {})


def events(stream):
    """The events in SSE bytes; the name of each is its type."""
    found = []
    for block in stream.split(b"\n\n")[:-1]:
        kind, _, line = block.partition(b"\n")
        found.append(orjson.loads(line.removeprefix(b"data: ")))
        assert kind.decode() == f"event: {found[-1]['type']}"
    return found


def told(telling, *chunks):
    return events(b"".join(map(telling.take, chunks)) + telling.end())


def completion(finish="stop", usage=USAGE, **message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"model": "demo/fast", "choices": [choice], "usage": usage, "metadata": REPORT}


LONG = (
    chunk(role="assistant", content=""),
    chunk(reasoning_content="hm"),
    chunk(reasoning_content="m"),
    chunk(content="he"),
    chunk(content="llo"),
    chunk(tool_calls=[call(0, "f", "", "c1")]),
    chunk(tool_calls=[call(0, arguments='{"a":')]),
    chunk(tool_calls=[call(0, arguments="1}")]),
    chunk(tool_calls=[call(1, "g", "{}", "c2")]),
    chunk("tool_calls"),
    last(),
)
MESSAGE = {
    "reasoning_content": "hmm",
    "content": "hello",
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ],
}
