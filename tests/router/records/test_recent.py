import json

import policies
from policies import Candidate, Plan
from router.records import Recent
from tests.router.records_samples import BACKUP, attempt, decision, record


def kept(*records, size=1000):
    book = Recent(size)
    for one in records:
        book.on_finish(one)
    return book


def numbered(n, **fields):
    return record(generation_id=f"gen-{n}", request_id=f"req-{n}", **fields)


def test_a_request_is_found_by_either_id():
    book = kept(numbered(1), numbered(2))
    assert book.find(None, "req-1") == book.find(None, "gen-1")
    assert book.find(None, "req-3") is None


def test_the_newest_come_first_up_to_the_limit():
    book = kept(*(numbered(n) for n in range(5)))
    assert [one["id"] for one in book.recent(None, 3)] == ["req-4", "req-3", "req-2"]


def test_a_tenant_sees_only_its_own():
    book = kept(numbered(1, key_id="web"), numbered(2, key_id="app"), numbered(3))
    assert [one["id"] for one in book.recent("web", 10)] == ["req-1"]
    assert book.find("web", "req-2") is None
    assert book.find(None, "req-1") is None


def test_the_oldest_are_forgotten():
    book = kept(*(numbered(n) for n in range(5)), numbered(None, key_id="x"), size=2)
    assert len(book) == 2
    assert book.find(None, "req-0") is None
    assert book._requests.keys() == {"req-4", "req-None"}


def test_decision_attempts_and_cost_are_shown_but_no_content():
    condition = policies.TestedCondition("vip", 'tier == "vip"', matched=False)
    decided = decision(
        conditions=(condition,),
        messages=({"role": "system", "content": "secret prompt"},),
        parameters={"stop": "secret"},
    )
    plan = Plan((Candidate(BACKUP, "cooldown"),))
    object.__setattr__(decided, "plan", plan)
    shown = kept(numbered(1, decided=decided, usage={"prompt_tokens": 1, "completion_tokens": 1})).recent(None, 1)[0]
    assert shown["decision"]["conditions"][0]["expression"] == 'tier == "vip"'
    assert shown["decision"]["plan"] == [{"model": "demo/fast", "skipped": "cooldown"}]
    assert shown["metadata"]["attempts"][0]["model"] == "openai/gpt"
    assert shown["tokens"] == {"input": 1, "output": 1}
    assert shown["cost_usd"] > 0
    assert shown["time"].startswith("2027-01-15T")
    assert "secret" not in json.dumps(shown)


def test_a_request_that_was_never_called_is_shown_too():
    shown = kept(record(attempts=[], outcome=None, request_id=None)).find(None, "gen-1")
    assert (shown["id"], shown["outcome"], shown["cost_usd"]) == ("gen-1", None, None)
    assert attempt().success
