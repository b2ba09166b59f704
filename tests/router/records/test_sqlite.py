import sqlite3
import threading

import pytest

from policies import Outcome
from router.records import Ledger, SqliteStore, hashed_unit, open_records
from router.records.rows import Feedback
from tests.router.records_samples import attempt, decision, facts, record, told


@pytest.fixture
def records(tmp_path):
    made = Ledger(SqliteStore(tmp_path / "deep" / "r.db"), wall_s=lambda: 1_800_000_000.0)
    yield made
    made.close()


def rows(records, query):
    assert records.flush()
    with sqlite3.connect(records.store.path) as database:
        database.row_factory = sqlite3.Row
        found = [dict(row) for row in database.execute(query)]
    database.close()
    return found


def test_exposure_request_and_attempts_are_written_and_join_by_the_units_hash(records):
    decided = decision(unit="user", sticky=True, propensity=0.9, bucket=42)
    failed = attempt(outcome=Outcome.HTTP_5XX)
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    told(records, record(decided, [failed, attempt(began_s=10.5)], usage=usage), facts("anna"))
    [exposure] = rows(records, "SELECT * FROM exposures")
    [request] = rows(records, "SELECT * FROM requests")
    attempts = rows(records, "SELECT * FROM attempts ORDER BY number")
    assert exposure["unit"] == request["unit"] == hashed_unit("anna")
    assert (exposure["unit_key"], exposure["propensity"], exposure["bucket"], exposure["forced"]) == (
        "user",
        0.9,
        42,
        0,
    )
    assert (request["served"], request["output_tokens"], request["attempts"]) == ("openai/gpt", 7, 2)
    assert [one["outcome"] for one in attempts] == ["http_5xx", "success"]
    assert attempts[0]["error_code"] == "no"


def test_units_from_metadata_are_hashed_and_never_written_as_they_are(records):
    decided = decision(unit="metadata.session_id")
    told(records, record(decided), facts(None, metadata={"session_id": "very-private"}))
    [exposure] = rows(records, "SELECT * FROM exposures")
    assert exposure["unit"] == hashed_unit("very-private")
    assert b"very-private" not in records.store.path.read_bytes()


def test_a_draw_per_request_has_no_unit(records):
    told(records, record(decision(seed="abc")))
    [exposure] = rows(records, "SELECT * FROM exposures")
    assert (exposure["unit"], exposure["seed"]) == (None, "abc")


def test_requests_without_a_router_are_no_exposure(records):
    told(records, record(decision(router=None, route=None, variant=None)))
    assert rows(records, "SELECT * FROM exposures") == []
    assert len(rows(records, "SELECT * FROM requests")) == 1


def test_an_outcome_with_the_same_key_counts_once(records):
    for _ in range(2):
        records.feedback(Feedback("csat", 4.5, request_id="req-1", idempotency_key="k"))
    records.feedback(Feedback("csat", 3, unit="anna"))
    found = rows(records, "SELECT * FROM outcomes ORDER BY value")
    assert [(one["value"], one["unit"]) for one in found] == [(3.0, hashed_unit("anna")), (4.5, None)]


def test_a_full_queue_drops_and_counts_without_waiting(tmp_path):
    dropped = []
    records = Ledger(SqliteStore(tmp_path / "r.db"), capacity=1, on_drop=dropped.append)
    held = threading.Lock()
    with held:
        for n in range(200):
            told(records, record(generation_id=f"g{n}"))
    records.close()
    assert records.dropped == sum(dropped) > 0


def test_a_broken_file_is_reported_and_drops_rows(tmp_path):
    (tmp_path / "r.db").write_bytes(b"this is no database, and long enough to be seen as such" * 20)
    records = Ledger(SqliteStore(tmp_path / "r.db"))
    told(records, record())
    assert records.flush()
    assert "not a database" in records.fault
    assert records.dropped == 3
    records.close()
    records.close()


def test_nothing_is_opened_before_the_first_row(tmp_path):
    records = Ledger(SqliteStore(tmp_path / "r.db"))
    assert records._thread is None
    records.close()
    assert not (tmp_path / "r.db").exists()


def test_addresses_choose_the_writer(tmp_path):
    assert open_records(None) is None
    assert open_records("memory://") is None
    with pytest.raises(ValueError, match="'mysql' is not known here"):
        open_records("mysql://localhost/x")
    made = open_records(f"sqlite:///{tmp_path}/x.db")
    assert made.store.path == tmp_path / "x.db"
    made.close()


def test_thousands_of_rows_are_written_in_batches(records):
    for n in range(3000):
        told(records, record(generation_id=f"g{n}"))
    assert rows(records, "SELECT count(*) AS n FROM requests")[0]["n"] == 3000
    assert records.dropped == 0
