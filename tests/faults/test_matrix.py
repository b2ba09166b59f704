"""The table of the fault matrix, row by row, as a stream and as JSON, against the application in its own process.

Each is asked for by the names of its targets, and once more (as JSON where there is no stream) through a router of two
variants with the same fault: whatever falls, a caller stays with his variant and its targets.
"""

import json

import pytest

from . import figures
from .matrix import TABLE
from .raw import ask
from .street import Street

CASES = [
    pytest.param(row, number, stream, id=f"{row.number}-{row.fault}-{'stream' if stream else 'json'}")
    for number, row in enumerate(TABLE)
    for stream in (True, False)
    if row.only in ("", "stream" if stream else "json")
]


ROUTED = [case.values for case in CASES if case.values[2] or case.values[0].only == "json"]
ROUTER = """
router: {mark}
default:
  id: row
  variants:
    - {{id: a, weight: 50, model: "{a[0]}", fallbacks: {rest_a}}}
    - {{id: b, weight: 50, model: "{b[0]}", fallbacks: {rest_b}}}
"""


def mark_of(number, stream):
    return f"row-{number}-{'stream' if stream else 'json'}"


def routed(row, mark):
    """A router whose two variants have the row's targets, each with a mark of its own."""
    a, b = ([f"{model}@{mark}-{variant}" for model in row.models] for variant in "ab")
    return ROUTER.format(mark=mark, a=a, b=b, rest_a=json.dumps(a[1:]), rest_b=json.dumps(b[1:]))


class RoutedStreet(Street):
    """Also with a router for each row of the table."""

    routers = {  # noqa: RUF012 - never changed
        **Street.routers,
        **{mark: routed(row, mark) for row, mark in ((case[0], mark_of(*case[1:])) for case in ROUTED)},
    }


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with RoutedStreet(tmp_path_factory.mktemp("street")) as street:
        for stream in (True, False):
            assert ask(street, "east/ok@warm", stream=stream).words == 60
        yield street


@pytest.mark.parametrize(("row", "number", "stream"), CASES)
def test_a_row_of_the_matrix(street, row, number, stream):
    mark = mark_of(number, stream)
    expect = globals()[f"expect_{row.expect}"]
    told = ask(street, *(f"{model}@{mark}" for model in row.models), stream=stream)
    if row.outcomes:
        assert told.outcomes[0] in row.outcomes
    expect(row, told)
    figures.keep(row, told.seconds * 1000, "ms")
    if row.limit_ms:
        assert told.seconds * 1000 <= row.limit_ms + 1500, "far beyond its figure"
    if (row, number, stream) not in ROUTED:
        return
    through = ask(street, f"router/{mark}", stream=stream, user=mark)
    expect(row, through)
    assert through.outcomes[:1] == told.outcomes[:1] or set(through.outcomes[:1]) <= set(row.outcomes)


def expect_next(row, told):
    assert (told.status, told.words) == (200, 60)
    assert [attempt["success"] for attempt in told.attempts] == [False, True]
    assert told.metadata["attempts"][0]["model"].startswith(row.models[0])


def expect_complete(row, told):
    assert (told.status, told.words, told.errors) == (200, 60, [])
    assert [attempt["success"] for attempt in told.attempts] == [True]


def expect_whole(row, told):
    """Complete, by whichever target; nothing odd in what came back."""
    assert (told.status, told.words) == (200, 60)
    assert "caf" not in str(told.headers)


def expect_exactly(row, told):
    assert (told.status, told.words, told.done) == (200, row.words, False)
    assert [error["code"] for error in told.errors] == ["stream_interrupted"]
    assert len(told.attempts) == 1


def expect_refused(row, told):
    assert told.status == row.status
    assert told.headers["x-should-retry"] == "false"
    if row.code is not None:
        assert told.errors[0]["code"] == row.code
    if row.status == 400:
        assert len(told.attempts) == 1
