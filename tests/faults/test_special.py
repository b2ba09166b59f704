"""Rows of the fault matrix that are no single request: full pools, spoiled lines, outages, no descriptors."""

import concurrent.futures
import resource

import pytest

from router.upstreams.scripted import CANONICAL

from . import figures
from .matrix import row
from .raw import ask, ask_or_fail, chat, dial
from .street import PROMPT, Street
from .toxics import Toxic


def test_10_a_stale_connection_is_replayed_and_nobody_notices(street):
    slowest_s = 0.0
    for number in range(60):
        told = ask(street, f"east/stale@keep{number % 2}", stream=False)
        assert (told.status, told.words, len(told.attempts)) == (200, 60, 1)
        slowest_s = max(slowest_s, told.seconds)
    figures.keep(row(10), slowest_s * 1000, "ms")


def test_12_a_full_provider_is_a_short_queue_and_then_503(street):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask, street, f"narrow/stall-20@n{n}") for n in range(12)]
        told = [one.result() for one in asked]
    served = [one for one in told if one.words == 20]
    refused = [one for one in told if one.status == 503]
    assert len(served) + len(refused) == 12
    assert refused
    assert all(one.errors[0]["code"] == "router_overloaded" for one in refused)
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert max(one.seconds for one in told) < 2.5
    figures.keep(row(12), max(one.seconds for one in refused) * 1000, "ms until the refusal")


def test_45_a_burst_arrives_whole(street):
    told = ask(street, "east/burst-10000@burst")
    deltas = [choice for chunk in told.chunks for choice in chunk["choices"] if choice["delta"].get("content")]
    assert (told.status, len(deltas), told.done) == (200, 10_000, True)
    figures.keep(row(45), told.seconds * 1000, "ms")


def test_fallback_never_changes_the_variant(street):
    """I10: who is assigned what does not depend on who answered."""
    for number in range(12):
        user = f"user-{number}"
        asked = {"model": "router/split", "user": user, "messages": [{"role": "user", "content": PROMPT}]}
        explained = street.client.post("/v1/router/explain", json=asked).json()["decision"]
        told = ask(street, "router/split", stream=number % 2 == 0, user=user)
        assert told.words == 60
        assert told.metadata["variant_id"] == explained["variant_id"]
        assert told.attempts[-1]["model"] == "east/ok@spare"


def test_an_answer_goes_on_where_it_was_cut_when_the_router_says_so(street):
    told = ask(street, "router/patched")
    assert (told.text.split(), told.done) == (CANONICAL.split(), True)


def test_a_half_open_provider_is_an_idle_stream(street):
    proxy = street.toxic["halfopen"]
    sock = dial(street)
    sock.sendall(chat("halfopen/slow-stream@half"))
    while b"delta" not in sock.recv(65536):
        pass
    proxy.downstream = Toxic(half_open=True)
    seen = b""
    while piece := sock.recv(65536):
        seen += piece
        if b"stream_interrupted" in seen:
            break
    sock.close()
    assert b"idle_timeout" in seen
    assert b"[DONE]" not in seen


def test_12_another_provider_answers_while_one_is_full(street):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, street, f"narrow/slow-first-8@f{n}", f"east/ok@f{n}") for n in range(6)]
        told = [one.result() for one in asked]
    assert [one.words for one in told] == [60] * 6
    assert sum(one.outcomes[0] == "router_overloaded" for one in told) >= 2


@pytest.mark.parametrize(("provider", "whole"), [("latency", True), ("closing", True), ("limited", False)])
def test_a_spoiled_line_is_an_answer_or_one_error(street, provider, whole):
    told = ask(street, f"{provider}/ok@line{provider}")
    assert (told.words == 60 and told.done) is whole
    assert len(told.ends) == 1
    assert bool(told.errors) is not whole


def test_a_narrow_line_is_only_slow(street):
    told = ask(street, "band/ok@band")
    assert (told.words, told.done) == (60, True)


def test_17_an_outage_of_everything_is_not_made_worse(street):
    before = len(street.server.journal.seen)
    for number in range(40):
        assert ask(street, "east/503@total", "west/503@total", stream=number % 2 == 0).status == 503
    calls = len(street.server.journal.seen) - before
    assert calls <= 40 * 2
    figures.keep(row(17, "everything"), calls / 40, "calls a request")


def test_11_without_file_descriptors_the_answer_is_503_and_then_all_is_well(tmp_path):
    with Street(tmp_path) as street:
        assert ask(street, "east/ok@before").words == 60
        soft, hard = resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE, (street.descriptors() + 6, hard))
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            asked = [pool.submit(ask_or_fail, street, f"east/slow-1@fd{n}") for n in range(20)]
            told = [one.result() for one in asked]
        assert any(status in (503, None) for status in told)
        assert all(status in (200, 503, 504, None) for status in told)
        resource.prlimit(street.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        took_s = street.until(lambda: ask_or_fail(street, "west/ok@again") == 200, 3)
        figures.keep(row(11), took_s * 1000, "ms until well again")
        assert street.process.poll() is None
