"""The lean transport: requests as they leave, answers in every framing, faults, timers. The peer is a raw socket."""

import asyncio
import gzip
import random
import time
import zlib

import pytest
import uvloop

from policies import Outcome, Timeouts
from router.upstreams.base import UpstreamFault
from tests.router.upstreams.asking import QUICK, ask, call, fault, upstream
from tests.router.upstreams.wire import OK, answer, wire

BODIES = {
    "content-length": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        200,
        b"hello",
    ),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
        200,
        b"hello",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "continue first": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + OK, 200, b"{}"),
    "an error": (b"HTTP/1.1 503 No\r\ncontent-length: 3\r\nretry-after: 1\r\n\r\nbad", 503, b"bad"),
    "a redirect is an answer": (
        b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        307,
        b"",
    ),
}


@pytest.mark.parametrize("name", BODIES)
async def test_every_framing_is_read_to_its_end_and_the_connection_kept(name):
    raw, status, body = BODIES[name]
    async with wire(answer(raw)) as seen, upstream(seen.port) as made:
        for _ in range(3):
            reply = await made.send(call())
            assert (reply.status, await reply.body()) == (status, body)
            reply.close()
        assert seen.connections == 1
        assert (made.origin.pool.in_use, made.origin.pool.idle) == (0, 1)


@pytest.mark.parametrize("name", BODIES)
async def test_segmentation_does_not_matter(name):
    raw, status, body = BODIES[name]
    chance = random.Random(name)

    async def script(peer):
        while True:
            await peer.request()
            rest = raw
            while rest:
                size = chance.choice([1, 2, 3, 7, 30])
                peer.write(rest[:size])
                rest = rest[size:]
                await asyncio.sleep(0)

    async with wire(script) as seen, upstream(seen.port) as made:
        for _ in range(10):
            reply = await made.send(call())
            assert (reply.status, await reply.body()) == (status, body)


async def test_a_close_delimited_body_ends_with_the_connection():
    raw = b"HTTP/1.0 200 OK\r\n\r\nall of it"
    assert await ask(answer(raw, then=lambda peer: peer.writer.close())) == (200, b"all of it")
    assert await fault(answer(raw, then=lambda peer: peer.reset())) in (
        Outcome.RESET_BEFORE_COMMIT,
        Outcome.HEADER_TIMEOUT,
    )


async def test_what_arrives_together_is_read_together_and_at_once():
    async def script(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for batch in (b"1\r\na\r\n1\r\nb\r\n", b"1\r\nc\r\n", b"0\r\n\r\n"):
            await asyncio.sleep(0.02)
            peer.write(batch)
        await peer.gone()

    async with wire(script) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        assert [await reply.read() for _ in range(4)] == [b"ab", b"c", b"", b""]


async def test_the_request_is_complete_and_carries_nothing_that_is_not_ours_to_send():
    fields = {"traceparent": "00-1", "x-request-id": "abc", "openai-organization": "evil", "connection": "close"}
    async with wire(answer(OK)) as seen, upstream(seen.port, headers={"X-Team": "voice"}) as made:
        await made.send(call(headers=fields))
        await made.send(call(credential="own"))
    head, _, body = seen.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /v1/chat/completions HTTP/1.1",
        b"host: 127.0.0.1:%d" % seen.port,
        b"accept-encoding: identity",
        b"user-agent: realtime-router",
        b"x-team: voice",
        b"content-type: application/json",
        b"content-length: 2",
        b"authorization: Bearer secret-key",
        b"traceparent: 00-1",
    ]
    assert body == b"{}"
    assert b"authorization: Bearer own\r\n" in seen.requests[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"traceparent": "a\r\nx: y"}},
        {"credential": "a\nb"},
        {"credential": "schlüssel"},
        {"content_type": "a\r\nb: c"},
    ],
)
async def test_a_line_break_cannot_be_smuggled_into_a_request(fields):
    async with wire(answer(OK)) as seen, upstream(seen.port) as made:
        with pytest.raises(UpstreamFault, match="printable ASCII"):
            await made.send(call(**fields))
        assert seen.connections == 0
        assert made.origin.pool.in_use == 0


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (b"<html>hello</html>\r\n\r\n", Outcome.MALFORMED_RESPONSE),
        (b"SSH-2.0-OpenSSH\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\n" + b"x-pad: " + b"a" * 70_000 + b"\r\n\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\nx-pad: " + b"a" * 700_000, Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 " + b"O" * 700_000, Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"e" * 700_000, Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n{}", Outcome.DECODE_ERROR),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", Outcome.DECODE_ERROR),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", Outcome.MALFORMED_RESPONSE),
        (b"", Outcome.HEADER_TIMEOUT),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Outcome.HEADER_TIMEOUT),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", Outcome.IDLE_TIMEOUT),
    ],
)
async def test_answers_that_cannot_be_used_are_faults(raw, outcome):
    assert await fault(answer(raw)) is outcome


async def test_the_timers_keep_their_time():
    for raw, limit_s in ((b"", QUICK.first_token_s), (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nh", QUICK.idle_s)):
        started_s = time.monotonic()
        await fault(answer(raw))
        assert limit_s - 0.01 <= time.monotonic() - started_s <= limit_s + 0.15


async def test_a_head_that_drips_does_not_stop_the_clock():
    async def script(peer):
        await peer.request()
        for byte in OK:
            peer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    assert await fault(script) is Outcome.HEADER_TIMEOUT


async def test_cuts_are_told_apart():
    def close(peer):
        peer.writer.close()

    def reset(peer):
        peer.reset()

    half = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"
    chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n"
    assert await fault(answer(then=close)) is Outcome.RESET_BEFORE_COMMIT
    assert await fault(answer(then=reset)) is Outcome.RESET_BEFORE_COMMIT
    assert await fault(answer(b"HTTP/1.1 20", then=close)) is Outcome.RESET_BEFORE_COMMIT
    assert await fault(answer(half, then=close)) is Outcome.TRUNCATED
    assert await fault(answer(chunk, then=close)) is Outcome.TRUNCATED


async def test_a_reset_in_the_body_comes_after_the_bytes_that_arrived():
    async def script(peer):
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")
        await asyncio.sleep(0.05)
        peer.reset()

    async with wire(script) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        assert await reply.read() == b"hel"
        with pytest.raises(UpstreamFault) as caught:
            await reply.read()
        assert caught.value.outcome is Outcome.RESET_BEFORE_COMMIT
        assert made.origin.pool.in_use == 0


async def test_a_slow_reader_slows_the_peer_down():
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    sent = 0

    async def script(peer):
        nonlocal sent
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(1000):
            peer.write(piece)
            await peer.writer.drain()
            sent += 0x4000
        peer.write(b"0\r\n\r\n")
        await peer.gone()

    async with wire(script) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        await asyncio.sleep(0.3)
        assert reply._buffered < 600_000
        assert sent < 14_000_000
        assert len(await reply.body()) == 1000 * 0x4000
        assert made.origin.pool.idle == 1


async def test_bodies_end_at_their_limit():
    raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 10
    async with wire(answer(raw)) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        with pytest.raises(UpstreamFault, match="longer than 1000 bytes") as caught:
            await reply.body(1000)
        assert caught.value.outcome is Outcome.MALFORMED_RESPONSE
        assert made.origin.pool.in_use == 0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
async def test_codings_are_opened_in_bounded_steps(coding):
    plain = b"\0" * 40_000_000
    engine = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "raw deflate": -15}[coding])
    encoded = engine.compress(plain) + engine.flush()
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
    raw = head % (coding.rpartition(" ")[2].encode(), len(encoded)) + encoded
    async with wire(answer(raw)) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        assert len(await reply.read()) <= 64 * 1024
        with pytest.raises(UpstreamFault) as caught:
            await reply.body()
        assert caught.value.outcome is Outcome.DECODE_ERROR
        reply = await made.send(call())
        assert len(await reply.body(50_000_000)) == len(plain)


async def test_a_coding_that_stops_in_the_middle_or_goes_on_is_a_decode_error():
    whole = gzip.compress(b"hello" * 100)
    for encoded in (whole[:-6], whole + b"more"):
        raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(encoded) + encoded
        assert await fault(answer(raw)) is Outcome.DECODE_ERROR


async def test_headers_nobody_may_copy_are_left_out():
    raw = b"HTTP/1.1 200 OK\r\nx-bad: caf\xe9\r\nX-Good: yes\r\nx-two: 1\r\nx-two: 2\r\ncontent-length: 0\r\n\r\n"
    async with wire(answer(raw)) as seen, upstream(seen.port) as made:
        reply = await made.send(call())
        assert reply.headers == {"x-good": "yes", "x-two": "1, 2", "content-length": "0"}


async def test_a_large_request_body_arrives_whole():
    async with wire(answer(OK)) as seen, upstream(seen.port) as made:
        large = call(Timeouts())
        large.body = b"x" * 3_000_000
        await made.send(large)
        assert seen.requests[0].endswith(large.body)


async def test_garbage_never_raises_anything_but_a_fault():
    chance = random.Random(11)
    whole = [raw for raw, _, _ in BODIES.values()]
    outcomes = set()
    for _ in range(150):
        raw = bytearray(chance.choice(whole) * chance.choice([1, 2]))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(raw))
            if chance.random() < 0.5:
                raw[at] = chance.randrange(256)
            else:
                del raw[at : at + chance.randrange(1, 9)]
        script = answer(bytes(raw), then=lambda peer: peer.writer.close())
        try:
            outcomes.add((await ask(script))[0])
        except UpstreamFault as error:
            outcomes.add(error.outcome)
    assert Outcome.MALFORMED_RESPONSE in outcomes
    assert 200 in outcomes


@pytest.mark.parametrize(
    "sentence",
    [
        test_a_close_delimited_body_ends_with_the_connection,
        test_a_reset_in_the_body_comes_after_the_bytes_that_arrived,
        test_a_slow_reader_slows_the_peer_down,
        test_cuts_are_told_apart,
        test_garbage_never_raises_anything_but_a_fault,
        test_the_timers_keep_their_time,
    ],
    ids=lambda sentence: sentence.__name__.removeprefix("test_"),
)
def test_it_holds_on_uvloop_too(sentence):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(sentence()) is None
