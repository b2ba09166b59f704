"""The page about the failure contract says what the matrix says, figures apart."""

import re

from .matrix import ELSEWHERE, EVERY, NOT_RUN, TABLE
from .page import page
from .street import ROOT

FIGURE = re.compile(r"\| (?:–|[-\d.e+]+ (?:ms|KiB|calls|requests)) \|")


def shape(text):
    return FIGURE.sub("| figure |", text)


def test_the_page_is_made_of_the_matrix_as_it_is():
    kept = (ROOT / "docs" / "failure-contract.md").read_text(encoding="utf-8")
    assert shape(kept) == shape(page({})), "write it again: python -m tests.faults.page > docs/failure-contract.md"


def test_every_row_is_proven_or_says_why_not():
    numbers = {row.number for row in EVERY}
    assert numbers >= set(range(1, 61))
    for row in ELSEWHERE:
        text = (ROOT / row.proof).read_text(encoding="utf-8")
        assert "def test_" in text
        if row.proof.startswith("tests/faults/test_special"):
            assert re.search(rf"def test_(\d+_)*{row.number}_", text), f"row {row.number} has no test"
    assert all(row.expect for row in TABLE)
    assert all(row.proof.startswith("needs") for row in NOT_RUN)
