"""The failover list against the application itself: the documented settings pass all sixteen, no profile fails one."""

import asyncio

import pytest

from benchmarks import failover
from benchmarks.scenarios import SCENARIOS, Case, Told, verdict
from router.upstreams.scripted import CANONICAL


@pytest.fixture(scope="module")
def results():
    return asyncio.run(failover.run(quick=True))


def test_the_resilient_profile_passes_every_scenario(results):
    verdicts = {name: row["verdict"] for name, row in results["ours-resilient"]["scenarios"].items()}
    assert set(verdicts) == {f"S{number:02}" for number in range(1, 17)}
    assert set(verdicts.values()) == {"pass"}, failover.table(results)
    assert results["ours-resilient"]["outage_primary_calls"] <= 6


def test_no_profile_ever_fails_one(results):
    assert [row["counts"]["fail"] for row in results.values()] == [0, 0], failover.table(results)


def test_the_judge_does_not_let_a_cut_answer_pass():
    cut = Case(Told(1.0, text=" ".join(CANONICAL.split()[:40]), finished=True), (), ())
    said = Case(Told(1.0, text="partial", error="stream_interrupted"), (), ())
    hung = Case(Told(1.0, text=CANONICAL, hung=True), (), ())
    by_id = {scenario.id: scenario for scenario in SCENARIOS}
    assert [verdict(by_id["S08"], case) for case in (cut, said, hung)] == ["fail", "safe", "fail"]
    assert verdict(by_id["S13"], Case(Told(1.0, text=CANONICAL, finished=True), (), ())) == "partial"
