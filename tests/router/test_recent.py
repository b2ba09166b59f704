"""The last records stay in memory, each for the key that made it."""

from policies import Decision, Outcome, Plan, Reason
from router.recent import RecentRecords
from router.record import Record


def record(number, key=None):
    decision = Decision("demo/fast", "demo/fast", Reason.SPECIFIED, Plan(()))
    return Record(f"gen-{number}", decision, 0.0, request_id=f"req-{number}", key_id=key, outcome=Outcome.SUCCESS)


def test_records_are_found_by_either_id_and_only_by_their_key():
    book = RecentRecords()
    book.on_finish(record(1, "a"))
    assert book.find("a", "req-1") == book.find("a", "gen-1")
    assert book.find("a", "req-1")["outcome"] == "success"
    assert book.find("b", "req-1") is None
    assert book.find(None, "nothing") is None


def test_the_newest_come_first_and_the_oldest_go():
    book = RecentRecords(most=2)
    for number in range(4):
        book.on_finish(record(number))
    assert [row["id"] for row in book.recent(None, 10)] == ["req-3", "req-2"]
    assert [row["id"] for row in book.recent(None, 1)] == ["req-3"]
    assert book.find(None, "req-0") is None
