"""The older completions endpoint of the demo provider."""

import orjson
import pytest

from router.upstreams.demo.legacy import as_chat, as_text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("count to 3", "count to 3"),
        (["one", "two", 3], "one\ntwo"),
        ("  ", None),
        (None, None),
        ([1, 2], None),
        (5, None),
    ],
)
def test_a_prompt_becomes_a_message(prompt, text):
    messages = [] if text is None else [{"role": "user", "content": text}]
    assert as_chat({"prompt": prompt, "n": 2}) == {"prompt": prompt, "n": 2, "messages": messages}


def test_answers_and_events_take_the_shape_of_text():
    choice = {"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}
    whole = orjson.loads(as_text(orjson.dumps({"id": "x", "object": "chat.completion", "choices": [choice]})))
    assert whole["object"] == "text_completion"
    assert whole["choices"] == [{"index": 0, "text": "hello", "logprobs": None, "finish_reason": "stop"}]
    delta = {"index": 0, "delta": {"content": None}, "finish_reason": None}
    events = as_text(b"data: " + orjson.dumps({"choices": [delta]}) + b"\n\ndata: [DONE]\n\n")
    assert events.endswith(b"\n\ndata: [DONE]\n\n")
    assert orjson.loads(events.split(b"\n\n")[0].removeprefix(b"data: "))["choices"][0]["text"] == ""
