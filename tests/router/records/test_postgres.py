"""Records in a real PostgreSQL: as in SQLite, through an outage, with a wrong password, with few rights."""

import contextlib
import logging
import re
import sqlite3
import sys
import time
from pathlib import Path

import psycopg
import pytest

from policies import Outcome
from router.config import ConfigError, load
from router.records import Ledger, SqliteStore, open_records, passwords_of
from router.records.ledger import StoreError
from router.records.outcomes import OWNED
from router.records.postgres import PostgresStore
from router.records.reading import open_reader
from router.records.report import report, versions
from router.records.rows import WIDTHS, Feedback
from tests.router.records.postgres_server import MISSING, PASSWORD, PostgresServer
from tests.router.records_samples import attempt, decision, facts, record, told

NOW_S = 1_800_000_000.0
GUIDE = Path(__file__).parents[3] / "docs" / "experiments.md"
needs_server = pytest.mark.skipif(bool(MISSING), reason=str(MISSING))


@pytest.fixture(scope="module")
def server():
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def database(server, request):
    if server.process is None:
        server.start()
    return server.fresh(re.sub(r"\W+", "_", request.node.name)[:40])


@pytest.fixture
def ledger(server, database):
    made = Ledger(PostgresStore(server.address(database=database)), wall_s=lambda: NOW_S)
    yield made
    made.close()


def until(holds, timeout_s=10.0):
    until_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def lived(ledger):
    """A bit of everything: a fallback, a forced variant, a request without a router, outcomes."""
    failed = attempt(outcome=Outcome.HTTP_5XX)
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    decided = decision(unit="user", sticky=True, propensity=0.9, bucket=2**40)
    told(ledger, record(decided, [failed, attempt(began_s=10.5)], usage=usage), facts("änna"))
    told(ledger, record(decision(), generation_id="gen-2"), facts(forced_variant="cheap"))
    told(ledger, record(decision(router=None, route=None, variant=None), [], generation_id="gen-3", outcome=None))
    told(ledger, record(generation_id="gen-2"))  # a key that is there counts once
    for _ in range(2):
        ledger.feedback(Feedback("csat", 4.5, request_id="req-1", idempotency_key="k"))
    ledger.feedback(Feedback("csat", 3, unit="anna"))
    assert ledger.flush()


@needs_server
def test_every_table_has_the_rows_it_has_in_sqlite(ledger, server, database, tmp_path):
    beside = Ledger(SqliteStore(tmp_path / "r.db"), wall_s=lambda: NOW_S)
    lived(beside)
    lived(ledger)
    beside.close()
    kept = sqlite3.connect(tmp_path / "r.db")
    for table in WIDTHS:
        expected = sorted(kept.execute(f"SELECT * FROM {table}"), key=repr)
        assert expected
        assert sorted(server.asked(f"SELECT * FROM {table}", database), key=repr) == expected
    kept.close()
    assert (ledger.dropped, ledger.fault) == (0, None)


@needs_server
def test_the_queries_of_the_guide_run(ledger, server, database):
    lived(ledger)
    queries = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) >= 3
    for query in queries:
        assert isinstance(server.asked(query, database), list)


@needs_server
def test_reports_and_late_outcomes_read_it(ledger, server, database):
    lived(ledger)
    told(ledger, record(decision(experiment="v1", unit="user"), generation_id="gen-9"), facts("bob"))
    assert ledger.flush()
    asked = {"shares": lambda _route, _wall_s: {"cheap": 1.0}, "controls": {"default": "cheap"}, "models": {}}
    with contextlib.closing(open_reader(server.address(database=database))) as reader:
        assert versions(reader, "support")["v1"] == 1
        [route] = report(reader, "support", "v1", **asked)
        assert (route.units, route.figures["error_rate"]["cheap"].mean) == ({"cheap": 1}, 0.0)
        assert reader.rows(OWNED.format(name="request_id", key="key_id IS NULL"), ("req-1",))
        with pytest.raises(StoreError, match="PostgreSQL"):
            reader.rows("SELECT nothing FROM nowhere")


@needs_server
def test_an_outage_blocks_nobody_drops_the_oldest_and_ends_by_itself(server, database, caplog):
    caplog.set_level(logging.INFO, "router.records")
    dropped = []
    ledger = Ledger(PostgresStore(server.address(database=database)), capacity=60, on_drop=dropped.append)
    told(ledger, record(generation_id="before"))
    assert ledger.flush()
    server.stop()
    longest_s = 0.0
    for n in range(500):
        began_s = time.monotonic()
        told(ledger, record(generation_id=f"g{n}"))
        longest_s = max(longest_s, time.monotonic() - began_s)
    assert longest_s < 0.5
    until(lambda: ledger.fault)
    for n in range(500, 600):
        told(ledger, record(generation_id=f"g{n}"))
    assert not ledger.flush(0.1)
    server.start()
    assert ledger.flush(20)
    told(ledger, record(generation_id="after"))
    assert ledger.flush()
    found = {name for [name] in server.asked("SELECT generation_id FROM requests", database)}
    assert {"before", "g599", "after"} <= found
    rows = sum(server.asked(f"SELECT count(*) FROM {table}", database)[0][0] for table in WIDTHS)
    assert ledger.dropped == sum(dropped) == 3 * 602 - rows > 0
    assert ledger.fault is None
    assert [one.message for one in caplog.records] == ["records cannot be written", "records are written again"]
    ledger.close()


@needs_server
def test_a_wrong_password_is_said_once_and_not_shown(server, database, caplog):
    ledger = Ledger(PostgresStore(server.address("not-the-word", database=database)))
    ledger.start()
    until(lambda: ledger.fault)
    told(ledger, record())
    ledger.close()
    [line] = caplog.records
    assert 'password authentication failed for user "router"' in line.fields["error"]
    assert "not-the-word" not in f"{line.getMessage()} {line.fields} {ledger.fault}"
    assert ledger.dropped == 3


@needs_server
def test_the_right_to_insert_is_enough_once_the_tables_are_there(ledger, server, database):
    lived(ledger)
    server.asked(f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'")
    server.asked("GRANT INSERT ON ALL TABLES IN SCHEMA public TO writer", database)
    limited = Ledger(PostgresStore(server.address(user="writer", database=database)))
    told(limited, record(generation_id="limited"))
    assert limited.flush()
    limited.close()
    assert (limited.dropped, limited.fault) == (0, None)
    assert server.asked("SELECT count(*) FROM requests WHERE generation_id = 'limited'", database) == [(1,)]


@needs_server
def test_a_batch_that_is_refused_is_dropped_and_the_next_one_is_taken(ledger, server, database):
    told(ledger, record(usage={"prompt_tokens": 2**70, "completion_tokens": 1}, request_id="client-word"))
    assert ledger.flush()
    assert ledger.dropped == 3
    assert "client-word" not in ledger.fault
    told(ledger, record(generation_id="nul", request_id="a\0b"))
    assert ledger.flush()
    assert server.asked("SELECT request_id FROM requests", database) == [("a\ufffdb",)]
    assert ledger.fault is None


@needs_server
def test_routers_that_start_at_once_make_the_tables_once(server, database, caplog):
    ledgers = [Ledger(PostgresStore(server.address(database=database))) for _ in range(4)]
    for n, one in enumerate(ledgers):
        told(one, record(generation_id=f"g{n}"))
    assert all(one.flush() for one in ledgers)
    for one in ledgers:
        one.close()
    assert server.asked("SELECT count(*) FROM requests", database) == [(4,)]
    assert not caplog.records


def test_nobody_there_at_the_end_costs_the_rows_and_no_time(tmp_path):
    ledger = Ledger(PostgresStore(f"postgresql://u:p@/d?host={tmp_path}"))
    for n in range(5000):
        told(ledger, record(generation_id=f"g{n}"))
    began_s = time.monotonic()
    ledger.close()
    assert time.monotonic() - began_s < 4
    assert ledger.dropped == 15_000


@pytest.mark.parametrize("url", ["postgresql://u:hidden%zzword@h/d", "postgresql://u@h/d?passwrd=hiddenword"])
def test_an_address_that_cannot_be_read_is_refused_without_showing_it(url):
    with pytest.raises(ValueError, match="no address of PostgreSQL") as refused:
        open_records(url)
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_words_of_a_library_lose_the_password_however_it_is_written():
    store = PostgresStore("postgresql://u:hidden%2Fword@h/d")
    assert store._said(psycopg.OperationalError("no 'hidden/word'\n or hidden%2Fword")) == (
        "PostgreSQL: no '[redacted]' or [redacted]"
    )


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "router.records.postgres")
    with pytest.raises(ValueError, match=r"pip install 'realtime-router\[postgres\]'"):
        open_records("postgresql://localhost/records")


def test_passwords_are_found_wherever_an_address_may_have_them():
    assert passwords_of("postgresql://u:a%2Fbcd@h/d?sslmode=require&password=other") == ("a%2Fbcd", "a/bcd", "other")
    assert passwords_of("sqlite:///r.db") == passwords_of("postgresql://[/") == ()


def test_a_configuration_that_is_refused_does_not_show_the_password(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("records: {url: 'postgress://u:hidden@h/d?password=hidden&x=y'}\n")
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert "hidden" not in f"{refused.value} {refused.value.render()}"
    assert "postgress://u:***@h/d?password=***&x=y" in refused.value.render()
