"""One stream on its way through, without I/O: what leaves, what is held, what is counted."""

import orjson
import pytest

from router.passage import Diverged, Passage


def chunk(delta=None, finish=None, **fields):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return orjson.dumps({"model": "m", "choices": [choice], **fields})


def left(passage, *payloads):
    return passage.feed(list(payloads))


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"},
        {"content": [{"type": "text"}]},
        {"content": None, "tool_calls": [{"index": 0}]},
        {"tool_calls": [{"index": 0}]},
        {"refusal": "no"},
        {"audio": {"data": "x"}},
        {"function_call": {"name": "f"}},
        {"role": "assistant", "content": "", "reasoning_content": "hm"},
        {"reasoning": "hm"},
    ],
)
def test_a_meaningful_delta_commits_and_takes_the_opening_with_it(delta):
    passage = Passage("p/m", wants_usage=False)
    assert left(passage, chunk({"role": "assistant", "content": ""})) == b""
    out = left(passage, chunk(delta))
    assert passage.committed
    assert out.count(b"data: ") == 2
    assert out.count(b'"model":"p/m"') == 2


@pytest.mark.parametrize("delta", [{}, {"role": "assistant"}, {"content": ""}, {"content": None, "refusal": None}])
def test_an_empty_delta_does_not(delta):
    passage = Passage("p/m", wants_usage=False)
    assert left(passage, chunk(delta)) == b""
    assert not passage.committed


def test_the_older_completions_endpoint_commits_by_its_text():
    passage = Passage("p/m", wants_usage=False)
    assert left(passage, orjson.dumps({"choices": [{"text": "a"}]}))


def test_running_out_of_tokens_in_silence_is_an_answer_and_stopping_in_silence_is_not():
    said, silent = Passage("p/m", wants_usage=False), Passage("p/m", wants_usage=False)
    left(said, chunk(finish="length"))
    left(silent, chunk(finish="stop"))
    assert (said.committed, silent.committed) == (True, False)


def test_the_last_event_is_held_and_earlier_ones_let_go():
    passage = Passage("p/m", wants_usage=True)
    left(passage, chunk({"content": "a"}))
    assert left(passage, chunk(finish="stop")) == b""
    usage = orjson.dumps({"model": "m", "choices": [], "usage": {"total_tokens": 1}})
    assert b'"stop"' in left(passage, usage)
    assert passage.held == usage


def test_usage_that_only_we_asked_for_is_kept_away():
    passage = Passage("p/m", wants_usage=False)
    out = left(passage, chunk({"content": "a"}, usage=None), b'{"choices":[],"usage":{"total_tokens":1}}')
    assert b"usage" not in out
    assert passage.usage == {"total_tokens": 1}


def test_what_is_no_json_is_counted_and_what_is_json_of_another_shape_goes_on():
    passage = Passage("p/m", wants_usage=False)
    left(passage, chunk({"content": "a"}))
    out = left(passage, b'{"choices": [{"del', b'{"choices": 7}', b'"text"', chunk({"content": "b"}))
    assert passage.malformed == 1
    assert out.count(b"data: ") == 3


def test_an_error_event_ends_the_passage_but_not_once_it_was_finished():
    passage = Passage("p/m", wants_usage=False)
    left(passage, chunk({"content": "a"}), b'{"error":{"message":"x"}}', chunk({"content": "b"}))
    assert passage.error == {"message": "x"}
    done = Passage("p/m", wants_usage=False)
    left(done, chunk({"content": "a"}, "stop"), b'{"error":{"message":"x"}}', b"[DONE]", chunk({"content": "late"}))
    assert (done.error, done.done) == (None, True)


def test_json_over_several_lines_leaves_as_one_line():
    passage = Passage("p/m", wants_usage=False)
    out = left(passage, b'{"choices":[{"delta":\n{"content":"a"}}]}')
    assert out == b'data: {"choices":[{"delta": {"content":"a"}}]}\n\n'


def test_a_models_name_that_changes_on_the_way_is_replaced_all_the_same():
    passage = Passage("p/m", wants_usage=False)
    left(passage, chunk({"content": "a"}, model=""))
    assert b'"model":"p/m"' in left(passage, chunk({"content": "b"}, model="m-2024"))


def words(passage, *contents):
    return [c for content in contents if (c := left(passage, chunk({"content": content})))]


def test_a_restart_swallows_what_the_client_has():
    passage = Passage("p/m", wants_usage=False, told=True, prefix="one two")
    assert left(passage, chunk({"role": "assistant"})) == b""
    assert words(passage, "one", " t") == []
    (out,) = words(passage, "wo three")
    assert orjson.loads(out[6:])["choices"][0]["delta"]["content"] == " three"
    assert passage.text == [" three"]


def test_a_restart_that_ends_exactly_there_is_complete():
    passage = Passage("p/m", wants_usage=False, told=True, prefix="one")
    left(passage, chunk({"content": "one"}, "stop"))
    assert passage.finished
    assert passage.committed
    assert orjson.loads(passage.held)["choices"][0]["delta"]["content"] == ""


@pytest.mark.parametrize(
    "payload",
    [
        chunk({"content": "other"}),
        chunk({"content": "one more than that"}),
        chunk({"tool_calls": [{"index": 0}]}),
        chunk({"content": "one"}, "stop"),
        orjson.dumps({"choices": [{"index": 1, "delta": {"content": "one two"}}]}),
    ],
)
def test_a_restart_that_differs_is_no_continuation(payload):
    passage = Passage("p/m", wants_usage=False, told=True, prefix="one two")
    with pytest.raises(Diverged):
        left(passage, payload)


def test_several_choices_and_tools_cannot_be_continued():
    passage = Passage("p/m", wants_usage=False, told=True)
    left(passage, chunk({"content": "a"}), orjson.dumps({"choices": [{"index": 1, "delta": {"content": "b"}}]}))
    assert not passage.textual
