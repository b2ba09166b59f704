"""What a report makes of rows: one unit is one observation, first assignment counts, wrong shares stop it."""

import contextlib

import pytest

from router.cli.report import Wanted, run
from router.records import Ledger, SqliteStore
from router.records.ledger import StoreError
from router.records.reading import NothingYetError, SqliteReader, open_reader
from router.records.report import report, versions
from router.records.rows import Feedback
from tests.router.records_samples import decision, facts, record, told


def even(_route, _wall_s):
    return {"a": 0.5, "b": 0.5}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "r.db"


@pytest.fixture
def lived(place):
    """Rows of a life, and a reader that is closed in the end."""
    opened = []

    def live(*stories, outcomes=()):
        _live(place, *stories, outcomes=outcomes)
        opened.append(SqliteReader(place))
        return opened[-1]

    yield live
    for reader in opened:
        reader.close()


def _live(place, *stories, outcomes=()):
    """(user, variant, reason-or-None, seconds) of each request; a moment apart."""
    clock = iter(range(1, 100_000))
    ledger = Ledger(SqliteStore(place), wall_s=lambda: 1000.0 + next(clock))
    for number, (user, variant, took_s) in enumerate(stories):
        unit = {"unit": "user", "sticky": True} if user else {"seed": f"g{number}"}
        decided = decision(variant=variant, experiment="v1", **unit)
        told(ledger, record(decided, generation_id=f"g{number}", ended_s=9.9 + took_s), facts(user))
    for outcome in outcomes:
        ledger.feedback(outcome)
    ledger.close()


def told_of(reader, **more):
    return report(
        reader, "support", "v1", shares=even, controls={"default": "a"}, models={("default", "b"): "far/away"}, **more
    )[0]


def test_a_unit_with_many_requests_counts_once_by_its_mean(lived):
    reader = lived(("ann", "a", 1), ("ann", "a", 3), ("bob", "a", 5), ("cid", "b", 1), ("dan", "b", 9))
    found = told_of(reader)
    assert (found.units, found.requests, found.expected) == ({"a": 2, "b": 2}, {"a": 3, "b": 2}, {"a": 2.0, "b": 2.0})
    duration = found.figures["duration_ms"]
    assert (duration["a"].units, duration["a"].mean) == (2, pytest.approx(3500))
    assert duration["b"].against.difference == pytest.approx(1500)
    assert duration["a"].against is None
    assert found.elsewhere == {"b": 2}
    assert versions(reader, "support") == {"v1": 5}


def test_without_a_unit_every_request_is_one_and_the_first_variant_of_a_unit_stays(lived):
    found = told_of(lived((None, "a", 1), (None, "a", 1), ("ann", "b", 1), ("ann", "a", 1)))
    assert (found.units, found.requests) == ({"a": 2, "b": 1}, {"a": 2, "b": 1})


def test_outcomes_count_for_requests_and_units_from_the_first_exposure_on(lived):
    outcomes = [Feedback("csat", 4, request_id="g0"), Feedback("csat", 2, unit="ann"), Feedback("csat", 9, unit="eve")]
    reader = lived(("ann", "a", 1), ("bob", "b", 1), outcomes=outcomes)
    assert told_of(reader).figures["csat"]["a"].mean == 3.0


def test_units_in_the_wrong_shares_end_the_report(lived):
    found = told_of(lived(*((f"u{n}", "a" if n % 10 else "b", 1) for n in range(80))))
    assert found.mismatch
    assert found.figures == {}


def test_what_is_missing_is_said(place, tmp_path, capsys, monkeypatch):
    with pytest.raises(NothingYetError, match="no such file"):
        SqliteReader(place)
    place.write_text("no database at all, but long enough to be taken for one" * 20)
    with contextlib.closing(open_reader(f"sqlite:///{place}")) as reader, pytest.raises(StoreError):
        reader.rows("SELECT 1 FROM exposures")
    with pytest.raises(ValueError, match=r"records\.url is null"):
        open_reader(None)
    monkeypatch.delenv("RR_CONFIG", raising=False)
    good = tmp_path / "good.db"
    _live(good, ("ann", "a", 1))
    for wanted, words in (
        (Wanted("demo", records=f"sqlite:///{tmp_path}/none.db"), "no such file"),
        (Wanted("nobody", records=f"sqlite:///{good}"), "there is no router 'nobody'"),
        (Wanted("support", records=f"sqlite:///{good}"), "recorded are: v1 (1 exposures)"),
        (Wanted("support", records=f"sqlite:///{place}"), "records:"),
        (Wanted("support", config=tmp_path / "none.yaml"), "cannot be read"),
    ):
        assert run(wanted) == 1
        assert words in " ".join(capsys.readouterr().err.split())


def test_a_mismatch_is_red_and_leaves_with_one(place, capsys, monkeypatch):
    monkeypatch.delenv("RR_CONFIG", raising=False)
    monkeypatch.setattr("router.cli.report.report", lambda *_a, **_k: [_mismatched()])
    _live(place, ("ann", "a", 1))
    assert run(Wanted("support", records=f"sqlite:///{place}", version="v1")) == 1
    assert "no comparison is shown" in " ".join(capsys.readouterr().out.split())


def _mismatched():
    from router.records.report import RouteReport

    return RouteReport("default", "a", units={"a": 90, "b": 10}, expected={"a": 50.0, "b": 50.0}, srm_p=1e-9)
