"""The page about the failure contract says what the matrix says, with the figures of a run."""

import json
import re
from dataclasses import replace

from . import matrix
from .figures import FILE
from .matrix import ELSEWHERE, EVERY, TABLE
from .page import page
from .street import ROOT
from .witness import LEDGER

KEPT = json.loads(FILE.read_text(encoding="utf-8"))
TRIED = json.loads(LEDGER.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_matrix_and_the_figures_as_they_are():
    shown = (ROOT / "docs" / "failure-contract.md").read_text(encoding="utf-8")
    assert shown == page(KEPT, TRIED), "write it again: python -m tests.faults.page > docs/failure-contract.md"
    assert "docs/failure-contract.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_row_has_a_test_that_names_it():
    assert {row.number for row in EVERY} == set(range(1, 79))
    assert all(row.expect for row in TABLE)
    for row in ELSEWHERE:
        text = (ROOT / row.proof).read_text(encoding="utf-8")
        assert re.search(rf"def test_(\d+_)*{row.number}_", text), f"row {row.number} has no test in {row.proof}"


def test_every_figure_belongs_to_a_row_and_every_row_has_one():
    assert set(KEPT) == {f"{row.number} {row.fault}" for row in EVERY}


def test_what_was_not_measured_for_want_of_something_is_listed_as_not_run(monkeypatch):
    row = replace(EVERY[0], fault="a meteorite", needs="a sky")
    monkeypatch.setattr("tests.faults.page.EVERY", (row, *matrix.EVERY))
    ran, _, missing = page(KEPT, TRIED).partition("## Not run here")
    assert "a meteorite" not in ran
    assert "| a meteorite |" in missing
    assert "a sky" in missing
