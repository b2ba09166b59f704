"""The floor holds: a check that could not fail would be none."""

from tests.coverage_floor import shortfalls


def entry(covered, wanted, missing=()):
    summary = {"covered_lines": covered, "num_statements": wanted, "covered_branches": 0, "num_branches": 0}
    return {"summary": summary, "missing_lines": list(missing), "missing_branches": []}


def test_enough_is_enough():
    assert shortfalls({"policies/a.py": entry(10, 10), "router/b.py": entry(86, 100)}) == []


def test_one_uncovered_line_of_a_pure_room_is_named():
    found = shortfalls({"realtime/protocol/a.py": entry(9, 10, [7]), "router/b.py": entry(86, 100)})
    assert found[1] == "  realtime/protocol/a.py: 7"


def test_too_little_of_the_rest_is_refused_and_so_is_nothing():
    assert "85 % is the floor" in shortfalls({"policies/a.py": entry(1, 1), "router/b.py": entry(84, 100)})[0]
    assert "nothing was measured" in shortfalls({})[0]
