"""The failover list against the application itself: the documented settings pass all sixteen, no profile fails one."""

import asyncio

import pytest

from benchmarks import failover
from benchmarks.scenarios import SCENARIOS, Case, Told, verdict
from router.upstreams.scripted import CANONICAL


def clean(results):
    return all(row["verdict"] == "pass" for row in results["ours-resilient"]["scenarios"].values())


@pytest.fixture(scope="module")
def runs():
    """Ten times as fast as the list: a busy machine may miss one of the limits, and then has two more tries."""
    made = [asyncio.run(failover.run(quick=True))]
    while not clean(made[-1]) and len(made) < 3:
        made.append(asyncio.run(failover.run(quick=True)))
    return made


@pytest.fixture
def results(runs):
    return runs[-1]


def test_the_resilient_profile_passes_every_scenario(results):
    verdicts = {name: row["verdict"] for name, row in results["ours-resilient"]["scenarios"].items()}
    assert set(verdicts) == {f"S{number:02}" for number in range(1, 17)}
    assert set(verdicts.values()) == {"pass"}, failover.table(results)
    assert results["ours-resilient"]["outage_primary_calls"] <= 6


def test_no_profile_ever_fails_one_in_any_run(runs):
    for results in runs:
        assert [row["counts"]["fail"] for row in results.values()] == [0, 0], failover.table(results)


def test_the_judge_does_not_let_a_cut_answer_pass():
    cut = Case(Told(1.0, text=" ".join(CANONICAL.split()[:40]), finished=True), (), ())
    said = Case(Told(1.0, text="partial", error="stream_interrupted"), (), ())
    hung = Case(Told(1.0, text=CANONICAL, hung=True), (), ())
    by_id = {scenario.id: scenario for scenario in SCENARIOS}
    assert [verdict(by_id["S08"], case) for case in (cut, said, hung)] == ["fail", "safe", "fail"]
    assert verdict(by_id["S13"], Case(Told(1.0, text=CANONICAL, finished=True), (), ())) == "partial"
