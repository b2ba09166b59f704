"""Kept connections of the lean transport: used again, replaced, given up, cancelled, full."""

import asyncio
import contextlib
import errno
import random
import socket
import time

import pytest
import uvloop

from policies import Outcome, Timeouts
from router.upstreams import http1
from router.upstreams.base import UpstreamFault
from tests.router.upstreams.asking import call, upstream
from tests.router.upstreams.wire import OK, answer, wire


async def test_a_closed_port_refuses_quickly():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        async with upstream(held.getsockname()[1]) as made:
            started_s = time.monotonic()
            with pytest.raises(UpstreamFault) as caught:
                await made.send(call())
            assert caught.value.outcome is Outcome.CONNECT_REFUSED
            assert time.monotonic() - started_s < 0.2
            assert made.origin.pool.in_use == 0


async def test_a_thousand_stale_connections_are_replayed_without_a_fault():
    async def script(peer):
        await peer.request()
        peer.write(OK)
        await peer.writer.drain()
        await asyncio.sleep(0)

    async with wire(script) as seen, upstream(seen.port) as made:
        for _ in range(1000):
            reply = await made.send(call())
            assert await reply.body() == b"{}"
        assert len(seen.requests) == 1000
        assert made.origin.pool.in_use == 0


async def test_a_connection_that_dies_under_the_second_request_is_replaced_once():
    async def script(peer):
        await peer.request()
        if peer.number == 1:
            peer.write(OK)
            await peer.request()
            return
        peer.write(OK)
        await peer.gone()

    async with wire(script) as seen, upstream(seen.port) as made:
        await made.send(call())
        reply = await made.send(call())
        assert await reply.body() == b"{}"
        assert seen.connections == 2

    async def always_dies(peer):
        if peer.number == 1:
            await peer.request()
            peer.write(OK)
        await peer.request()

    async with wire(always_dies) as seen, upstream(seen.port) as made:
        await made.send(call())
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.RESET_BEFORE_COMMIT
        assert seen.connections == 2
        assert made.origin.pool.in_use == 0


async def test_unasked_bytes_and_a_second_answer_cost_the_connection():
    async with wire(answer(OK + OK)) as seen, upstream(seen.port) as made:
        assert await (await made.send(call())).body() == b"{}"
        assert made.origin.pool.idle == 0
    async with wire(answer(OK, b"late", pause_s=0.02)) as seen, upstream(seen.port) as made:
        assert await (await made.send(call())).body() == b"{}"
        await asyncio.sleep(0.1)
        assert made.origin.pool.idle == 0


async def test_idle_connections_expire_and_the_peer_may_ask_for_less():
    async with wire(answer(OK)) as seen, upstream(seen.port, idle_s=0.05) as made:
        await made.send(call())
        await asyncio.wait_for(seen.closed.wait(), 1)
        assert made.origin.pool.idle == 0
    short = b"HTTP/1.1 200 OK\r\nkeep-alive: max=5, timeout=0\r\ncontent-length: 0\r\n\r\n"
    async with wire(answer(short)) as seen, upstream(seen.port) as made:
        await made.send(call())
        await asyncio.wait_for(seen.closed.wait(), 1)
        assert made.origin.pool.idle == 0


async def test_connection_close_is_honoured():
    raw = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
    async with wire(answer(raw)) as seen, upstream(seen.port) as made:
        for _ in range(2):
            assert await (await made.send(call())).body() == b"{}"
        assert seen.connections == 2


async def test_a_cancelled_call_closes_its_connection_within_100_ms():
    async def script(peer):
        await peer.request()
        await peer.gone()

    async with wire(script) as seen, upstream(seen.port) as made:
        task = asyncio.ensure_future(made.send(call(Timeouts())))
        while not seen.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        started_s = time.monotonic()
        await asyncio.wait_for(seen.closed.wait(), 1)
        assert time.monotonic() - started_s < 0.1
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (made.origin.pool.in_use, made.origin.pool.idle) == (0, 0)


async def test_a_thousand_cancels_at_any_moment_leave_nothing_behind():
    chance = random.Random(7)

    async def script(peer):
        while True:
            await peer.request()
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
            await asyncio.sleep(chance.choice([0, 0.001]))
            peer.write(b"done")

    async def one(made, limit_s):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                reply = await made.send(call(Timeouts()))
                try:
                    assert await reply.body() == b"done"
                finally:
                    reply.close()

    async with wire(script) as seen, upstream(seen.port, max_inflight=8) as made:
        for _ in range(20):
            await asyncio.gather(*(one(made, chance.uniform(0, 0.02)) for _ in range(50)))
        assert made.origin.pool.in_use == 0
        assert len(made.origin.pool._queue) == 0
        await one(made, 5)
        await made.aclose()
        for _ in range(100):
            await asyncio.sleep(0.01 if seen.open else 0)
        assert seen.open == 0


async def test_a_cancelled_read_can_be_taken_up_again_and_a_closed_reply_cannot():
    async def script(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        await asyncio.sleep(0.05)
        peer.write(b"done")
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        await peer.gone()

    async with wire(script) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.read(), 0.01)
        assert await reply.body() == b"done"
        reply.close()
        reply.close()
        other = await made.send(call())
        other.close()
        with pytest.raises(UpstreamFault, match="closed"):
            await other.read()
        assert made.origin.pool.in_use == 0


async def test_calls_beyond_max_inflight_wait_their_turn_or_are_turned_away():
    gate = asyncio.Event()

    async def script(peer):
        while True:
            await peer.request()
            await gate.wait()
            peer.write(OK)

    async with wire(script) as seen, upstream(seen.port, max_inflight=2) as made:
        patient = [asyncio.ensure_future(made.send(call(Timeouts()))) for _ in range(4)]
        while seen.connections < 2:
            await asyncio.sleep(0.005)
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.ROUTER_OVERLOADED
        assert seen.connections == 2
        gate.set()
        assert [(await task).status for task in patient] == [200] * 4
        assert seen.connections == 2


async def test_no_descriptor_left_is_our_overload_and_not_the_targets_fault(monkeypatch):
    async def exhausted(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(http1, "start_connection", exhausted)
    async with upstream(9) as made:
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.ROUTER_OVERLOADED
        assert made.origin.pool.in_use == 0


@pytest.mark.parametrize(
    "sentence",
    [
        test_a_cancelled_call_closes_its_connection_within_100_ms,
        test_a_thousand_cancels_at_any_moment_leave_nothing_behind,
        test_a_thousand_stale_connections_are_replayed_without_a_fault,
        test_idle_connections_expire_and_the_peer_may_ask_for_less,
    ],
    ids=lambda sentence: sentence.__name__.removeprefix("test_"),
)
def test_it_holds_on_uvloop_too(sentence):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(sentence()) is None
