"""Refusals at the listening socket: whom, when, and how many."""

import asyncio
import json
import socket
import time

import pytest

from router.turnstile import FEW, PATIENCE_S, TICK_S, WAIT_S, Queue, Refusals, Turnstile, waiting, whole

PATHS = {b"/v1/chat/completions"}


def request(path=b"/v1/chat/completions", body=b"{}", method=b"POST"):
    return b"%b %b HTTP/1.1\r\nhost: x\r\nContent-Length: %d\r\n\r\n%b" % (method, path, len(body), body)


def test_a_queue_is_too_long_when_it_has_not_been_short_for_a_while():
    queue, served = Queue(), 250  # a second
    found = [queue.excess(500, int(served * tick * TICK_S), tick * TICK_S) for tick in range(20)]
    patient = round(PATIENCE_S / TICK_S)
    assert found[:patient] == [0] * patient
    assert found[-1] == pytest.approx(500 - served * WAIT_S, abs=15)
    assert queue.excess(FEW, served, 1.0) == 0
    assert queue.excess(500, served, 1.05) == 0, "a new queue has its own patience"


def test_a_process_that_stood_still_refuses_nobody_for_that():
    queue = Queue()
    assert queue.excess(0, 0, 0.0) == 0
    assert [queue.excess(200, 0, 3.0), queue.excess(200, 0, 6.0), queue.excess(100, 100, 6.05)] == [0, 0, 0]


def test_a_burst_that_the_server_takes_in_time_refuses_nobody():
    queue, left, served = Queue(), 400, 0
    refused = 0
    for tick in range(40):
        taken = min(left, 50)  # a thousand a second
        left, served = left - taken, served + taken
        refused += queue.excess(left, served, tick * 0.05)
    assert refused == 0


def test_a_server_that_answers_nobody_still_keeps_a_few_waiting():
    queue = Queue()
    found = [queue.excess(50, 0, tick * TICK_S) for tick in range(20)]
    assert found[-1] == 50 - FEW


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (request(), True),
        (request(b"/v1/chat/completions?x=1"), True),
        (request(body=b"x" * 5000), True),
        (request(b"/v1/realtime/client_secrets"), False),
        (request(method=b"GET"), False),
        (request()[:-1], False),
        (request() + b"GET ", False),
        (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n", False),
        (b"POST /v1/chat/completions HTTP/1.1\r\n", False),
        (b"", False),
    ],
)
def test_only_a_whole_call_of_a_model_may_be_refused_unread(data, wanted):
    assert whole(data, PATHS) == (len(data) if wanted else 0)


class Greeting(asyncio.Protocol):
    """Answers whoever it is given."""

    def connection_made(self, transport):
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def door():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(200)
        listening.setblocking(False)
        yield listening


def callers(door, raw, count):
    made = [socket.create_connection(door.getsockname()) for _ in range(count)]
    for caller in made:
        caller.settimeout(5)
        caller.sendall(raw)
    return made


async def test_who_waits_too_long_is_told_and_others_are_handed_to_the_server(door):
    silent, health = callers(door, b"", 1), callers(door, request(method=b"GET"), 1)
    chatting = callers(door, request(), 60)
    told = []
    assert waiting(door) == 62
    turnstile = Turnstile([door], Refusals(PATHS, told.append), protocol=Greeting)
    turning = asyncio.ensure_future(turnstile.run())
    heard = [await asyncio.to_thread(caller.recv, 4096) for caller in (*silent, *health, *chatting[: 60 - FEW])]
    turning.cancel()
    for caller in (*silent, *health, *chatting):
        caller.close()
    assert heard[:2] == [b"hello", b"hello"]
    assert sum(told) == len(heard) - 2 == 60 - FEW
    head, _, body = heard[-1].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 1\r\n" in head
    assert b"\r\nconnection: close\r\n" in head
    assert json.loads(body)["error"]["code"] == "router_overloaded"
    assert int(head.partition(b"content-length: ")[2].split()[0]) == len(body)


async def test_a_door_without_a_queue_is_left_alone(door):
    told = []
    turnstile = Turnstile([door], Refusals(PATHS, told.append), protocol=Greeting)
    turning = asyncio.ensure_future(turnstile.run())
    few = callers(door, request(), FEW)
    await asyncio.sleep(PATIENCE_S + 0.2)
    turning.cancel()
    assert waiting(door) == FEW
    assert told == []
    for caller in few:
        caller.close()


async def test_while_rounds_are_long_a_few_are_taken_in_each(door):
    told = []
    refusals = Refusals(PATHS, told.append)
    refusals.shedding.share = 0.5
    turning = asyncio.ensure_future(Turnstile([door], refusals, protocol=Greeting).run())
    few = callers(door, request(), FEW)
    await asyncio.sleep(0)
    time.sleep(3 * TICK_S)
    heard = [await asyncio.to_thread(caller.recv, 4096) for caller in few]
    turning.cancel()
    assert waiting(door) == 0
    assert heard.count(b"hello") == sum(told) == FEW // 2
    for caller in few:
        caller.close()
