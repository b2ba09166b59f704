import json

import pytest

from router.upstreams.scripted import CANONICAL, FAULTS, Asked, End, script_for
from tests.router.upstreams.calls import deltas, events


def name(row):
    return row.replace("N", "3")


def text(script):
    return deltas(events(script.content))


def test_the_canonical_answer_has_sixty_words():
    assert len(CANONICAL.split()) == 60
    assert len(set(CANONICAL.split())) > 45


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("row", FAULTS)
def test_every_row_is_found_by_its_name_and_makes_a_script(row, stream):
    asked = Asked("503" if row == "N" else name(row), stream=stream)
    found, script = script_for(asked)
    assert found == row
    assert script.steps or script.end is not End.CLEAN or row.startswith(("cut", "stall", "reset", "finless"))
    assert FAULTS[row].about


def test_ok_streams_sixty_separate_deltas():
    _, script = script_for(Asked("ok", stream=True))
    assert len(script.steps) == 62
    assert text(script) == CANONICAL


def test_the_number_in_the_name_counts_deltas():
    assert len(text(script_for(Asked("cut-40", stream=True))[1]).split()) == 40
    assert script_for(Asked("cut-0", stream=True))[1].steps == ()
    assert len(text(script_for(Asked("stall-20@east", stream=True))[1]).split()) == 20


def test_once_means_once():
    first = script_for(Asked("503-once", call=1))[1]
    second = script_for(Asked("503-once", call=2))[1]
    assert (first.status, second.status) == (503, 200)
    limited = script_for(Asked("429-retry-after-2-once"))[1]
    assert ("retry-after", "2") in limited.headers


def test_an_outage_ends_after_its_seconds():
    assert [script_for(Asked("outage-60", age_s=age))[1].status for age in (0, 59, 60)] == [503, 503, 200]


def test_an_unknown_name_is_a_404_that_lists_the_rows():
    row, script = script_for(Asked("gpt-5"))
    assert (row, script.status) == ("unknown", 404)
    assert "cut-N" in json.loads(script.content)["error"]["message"]


def test_a_malformed_event_lies_between_right_ones():
    _, script = script_for(Asked("malformed-10", stream=True))
    good = [step for step in script.steps if not step.endswith(b'{"del\n\n')]
    assert len(script.steps) == len(good) + 1
    assert deltas(events(b"".join(good))) == CANONICAL


def test_prefill_continues_and_prefill_reject_refuses():
    prefix = " ".join(CANONICAL.split()[:40])
    document = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": prefix}]}
    _, script = script_for(Asked("prefill", stream=True, document=document))
    assert prefix + text(script) == CANONICAL
    assert script_for(Asked("prefill-reject", document=document))[1].status == 400
    assert script_for(Asked("prefill-reject"))[1].status == 200


def test_usage_comes_only_when_asked_for():
    document = {"stream_options": {"include_usage": True}}
    assert b'"usage"' in script_for(Asked("ok", stream=True, document=document))[1].content
    assert b'"usage"' not in script_for(Asked("ok", stream=True))[1].content
    assert b'"usage"' not in script_for(Asked("no-usage"))[1].content


@pytest.mark.parametrize("kind", ["embeddings", "moderations", "transcription", "speech"])
def test_other_kinds_of_calls_are_answered_too(kind):
    _, script = script_for(Asked("ok", kind=kind))
    assert script.status == 200
    assert script.content.startswith(b"RIFF" if kind == "speech" else b"{")
