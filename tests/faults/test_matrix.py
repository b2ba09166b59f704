"""The table of the fault matrix, row by row, as a stream and as JSON, against the application in its own process."""

import pytest

from . import figures
from .matrix import TABLE
from .raw import ask

CASES = [
    pytest.param(row, number, stream, id=f"{row.number}-{row.fault}-{'stream' if stream else 'json'}")
    for number, row in enumerate(TABLE)
    for stream in (True, False)
    if row.only in ("", "stream" if stream else "json")
]


@pytest.mark.parametrize(("row", "number", "stream"), CASES)
def test_a_row_of_the_matrix(street, row, number, stream):
    mark = f"r{number}{'s' if stream else 'j'}"
    told = ask(street, *(f"{model}@{mark}" for model in row.models), stream=stream)
    if row.outcomes:
        assert told.outcomes[0] in row.outcomes
    globals()[f"expect_{row.expect}"](row, told)
    figures.keep(row, told.seconds * 1000, "ms")
    if row.limit_ms:
        assert told.seconds * 1000 <= row.limit_ms + 1500, "far beyond its figure"


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
