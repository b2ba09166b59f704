"""The soak, short: random faults, streams and voice sessions; nothing is lost, nothing is left."""

import asyncio

from benchmarks import soak


def test_half_a_minute_of_random_faults_loses_nothing():
    result = asyncio.run(soak.run(seconds=20, streams=25, sessions=2, seed=11))
    assert result["lost"] == []
    assert result["tracebacks"] == 0, result["noise"]
    assert result["gauges"] == {"rr_inflight": 0.0, "rr_ws_sessions": 0.0}
    assert result["ended"]["complete"] > 50
    assert result["ended"]["error event"] > 5
    assert result["voice_turns"] > 5
    assert result["descriptors_after"] < 100


def test_the_judge_sees_what_is_lost():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert soak.judged(b"", stream=True).startswith("lost")
    assert soak.judged(head + b"data: {}\n\n", stream=True).startswith("lost")
    assert soak.judged(head + b"data: {}\n\n\r\n0\r\n\r\n", stream=True).startswith("lost")
    assert soak.judged(head + b"data: [DONE]\n\n\r\n0\r\n\r\n", stream=True) == "complete"
    assert soak.slope([(0, 1), (1, 3), (2, 5)]) == 2.0
