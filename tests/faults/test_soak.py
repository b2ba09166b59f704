"""The soak, short: random faults, streams and voice sessions; nothing is lost, nothing is left."""

import asyncio
import random

from benchmarks import soak
from benchmarks.slopes import slope, warm
from benchmarks.soak_clients import judged


def test_half_a_minute_of_random_faults_loses_nothing():
    result = asyncio.run(soak.run(seconds=20, streams=25, sessions=2, seed=11))
    assert soak.failures(result) == [], result["noise"]
    assert result["gauges"] == {"rr_inflight": 0.0, "rr_ws_sessions": 0.0}
    assert result["ended"]["complete"] > 50
    assert result["ended"]["error event"] > 5
    assert result["voice_turns"] > 5
    assert result["at_rest"]["before"]["tasks"] > 0


def test_the_judge_sees_what_is_lost():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert judged(b"", stream=True).startswith("lost")
    assert judged(head + b"data: {}\n\n", stream=True).startswith("lost")
    assert judged(head + b"data: {}\n\n\r\n0\r\n\r\n", stream=True).startswith("lost")
    assert judged(head + b"data: [DONE]\n\n\r\n0\r\n\r\n", stream=True) == "complete"


def walk(rise_a_minute, *, noise=30.0, minutes=12.0, seed=1, busy=0.0):
    """A series whose neighbours are alike: every tenth sample is drawn anew."""
    chance, drawn, points = random.Random(seed), 0.0, []
    for n in range(int(minutes * 60)):
        drawn = chance.gauss(0, noise) if n % 10 == 0 else drawn
        load = chance.gauss(100, 20) + busy * n
        points.append((float(n), 500 + rise_a_minute * n / 60 + drawn + load, load))
    return points


def test_a_leak_is_told_from_noise_and_too_much_noise_is_not_taken_for_a_proof():
    assert slope(walk(0.0, noise=1.0), 1.0).verdict == "flat"
    assert slope(walk(9.0), 1.0).verdict == "grows"
    noisy = [slope(walk(0.0, noise=300.0, seed=n), 1.0).verdict for n in range(200)]
    assert noisy.count("grows") <= 10
    assert noisy.count("undecided") > 150
    assert slope([(0.0, 1.0, 1.0), (1.0, 2.0, 1.0)], 1.0).verdict == "undecided"


def test_the_interval_of_a_flat_series_holds_nought_nineteen_times_in_twenty():
    held = [one.low <= 0.0 <= one.high for one in (slope(walk(0.0, seed=n), 1.0) for n in range(400))]
    assert 0.90 <= sum(held) / len(held) <= 0.985


def test_the_first_quarter_is_for_warming_up():
    assert [x for x, *_ in warm([(float(n), 0.0, 0.0) for n in range(9)])] == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_each_thing_that_is_wrong_with_a_run_is_said():
    steep = {"verdict": "grows"}
    run = {"lost": ["ok: lost"], "slopes": {"tasks": steep}, "seconds": 1200, "gauges": {"rr_inflight": 1.0},
           "at_rest": {"before": {"tasks": 7}, "after": {"tasks": 70}}, "tracebacks": 1}  # fmt: skip
    said = ["lost: ok: lost", "tasks grows", "63 tasks are left", "rr_inflight is 1.0", "tracebacks"]
    assert soak.failures(run) == said
    assert "tasks grows" not in soak.failures({**run, "seconds": 20})


def test_what_follows_the_load_is_no_leak_and_a_leak_is_one_at_any_load():
    assert slope(walk(0.0, noise=0.1, busy=0.3), 1.0).verdict == "flat"
    assert slope(walk(9.0, noise=0.1, busy=0.3), 1.0).verdict == "grows"
