"""Limits in a real Redis: shared by two nodes, and kept locally while Redis is down, hangs or has forgotten."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from router import Refusal
from router.proxy import Allowance, LocalLimiter
from router.proxy import shared_limits as shared
from router.proxy.shared_limits import SharedLimiter

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    path = tmp_path_factory.mktemp("redis") / "r.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"],
        cwd=path.parent,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield path, process
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait(10)


def command(path, *words):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(" ".join(words).encode() + b"\r\n")
        return sock.recv(4096)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine is not a Redis that hangs; the test about hanging takes the patience back."""
    monkeypatch.setattr(shared, "PATIENCE_S", 2.0)


@contextlib.asynccontextmanager
async def nodes(redis, count=2):
    path, _ = redis
    command(path, "FLUSHALL")
    made = [SharedLimiter(f"unix://{path}", LocalLimiter(time.monotonic)) for _ in range(count)]
    running = [asyncio.ensure_future(one.run()) for one in made]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for one in made:
            await one.aclose()


async def booked(node):
    """Wait until what was used has been told."""
    while not node._bookings.empty():
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.03)


async def test_two_nodes_share_a_rate_and_say_it_in_headers(redis):
    allowance = Allowance(rpm=10)
    async with nodes(redis) as (one, other):
        left = [(await node.admit("t", allowance, tokens=1)).requests.remaining for node in (one, other) * 5]
        assert left == list(range(9, -1, -1))
        with pytest.raises(Refusal, match="requests per minute") as caught:
            await other.admit("t", allowance, tokens=1)
        assert caught.value.headers["x-ratelimit-remaining-requests"] == "0"
        assert int(caught.value.headers["retry-after"]) in range(1, 8)
        assert await one.admit("another", allowance, tokens=1)
        assert not one.degraded


async def test_tokens_are_reserved_and_given_back(redis):
    allowance = Allowance(tpm=1000)
    async with nodes(redis) as (one, other):
        permit = await one.admit("t", allowance, tokens=900)
        with pytest.raises(Refusal, match="tokens per minute"):
            await other.admit("t", allowance, tokens=200)
        permit.settle(tokens=100, cost_usd=None)
        permit.settle(tokens=0, cost_usd=None)
        await booked(one)
        assert (await other.admit("t", allowance, tokens=200)).tokens.remaining in range(699, 715)


async def test_requests_at_once_and_budgets_are_shared(redis):
    async with nodes(redis) as (one, other):
        permit = await one.admit("t", Allowance(concurrent=1), tokens=0)
        with pytest.raises(Refusal, match="concurrent"):
            await other.admit("t", Allowance(concurrent=1), tokens=0)
        permit.release()
        permit.release()
        await booked(one)
        paid = await other.admit("t", Allowance(concurrent=1, budget_usd=1.0), tokens=0)
        paid.settle(tokens=None, cost_usd=1.5)
        paid.release()
        await booked(other)
        with pytest.raises(Refusal, match="budget"):
            await one.admit("t", Allowance(budget_usd=1.0), tokens=0)


async def test_a_hanging_redis_costs_one_short_wait_and_then_nothing(redis, monkeypatch):
    monkeypatch.setattr(shared, "REST_S", 0.3)
    monkeypatch.setattr(shared, "PATIENCE_S", 0.05)
    allowance = Allowance(rpm=5)
    async with nodes(redis) as (one, _):
        await one.admit("t", allowance, tokens=1)
        redis[1].send_signal(signal.SIGSTOP)
        try:
            began = time.perf_counter()
            await one.admit("t", allowance, tokens=1)
            first_s = time.perf_counter() - began
            began = time.perf_counter()
            for _ in range(4):
                await one.admit("t", allowance, tokens=1)
            others_s = time.perf_counter() - began
            with pytest.raises(Refusal):
                await one.admit("t", allowance, tokens=1)
            assert one.degraded
        finally:
            redis[1].send_signal(signal.SIGCONT)
        assert first_s < 0.3
        assert others_s < 0.05
        await asyncio.sleep(0.35)
        await one.admit("t", allowance, tokens=1)
        assert not one.degraded


async def test_a_flushed_redis_starts_again(redis):
    allowance = Allowance(rpm=2)
    async with nodes(redis) as (one, other):
        await one.admit("t", allowance, tokens=1)
        await one.admit("t", allowance, tokens=1)
        command(redis[0], "FLUSHALL")
        command(redis[0], "SCRIPT", "FLUSH")
        assert await other.admit("t", allowance, tokens=1)
        assert not other.degraded


async def test_a_redis_that_is_down_leaves_the_local_limits(tmp_path):
    node = SharedLimiter(f"unix://{tmp_path}/none.sock", LocalLimiter(time.monotonic))
    allowance = Allowance(rpm=1)
    permit = await node.admit("t", allowance, tokens=1)
    permit.settle(tokens=1, cost_usd=0.0)
    permit.release()
    assert node.degraded
    with pytest.raises(Refusal):
        await node.admit("t", allowance, tokens=1)
    await node.aclose()


async def test_a_redis_that_only_reads_leaves_the_local_limits(redis):
    async with nodes(redis, 1) as (node,):
        command(redis[0], "REPLICAOF", "127.0.0.1", "1")
        try:
            assert await node.admit("t", Allowance(rpm=5), tokens=1)
            assert node.degraded
        finally:
            command(redis[0], "REPLICAOF", "NO", "ONE")


async def test_a_place_is_held_while_its_node_lives_and_runs_out_behind_it(redis, monkeypatch):
    monkeypatch.setattr(shared, "LEASE_S", 1)
    allowance = Allowance(concurrent=1)
    async with nodes(redis) as (one, other):
        await one.admit("held", allowance, tokens=0)
        await asyncio.sleep(1.5)
        with pytest.raises(Refusal, match="concurrent"):
            await other.admit("held", allowance, tokens=0)
        one._held.clear()  # as a node that has died
        await asyncio.sleep(1.5)
        assert await other.admit("held", allowance, tokens=0)
