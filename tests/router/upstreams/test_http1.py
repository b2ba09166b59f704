"""The lean transport: framing, pooling, faults, cancellation. The peer is a raw socket on loopback."""

import asyncio
import contextlib
import errno
import gzip
import random
import socket
import ssl
import time
import zlib

import pytest
import uvloop

from policies import Outcome, Target, Timeouts
from router.tls_dev import dev_certificate
from router.upstreams import http1
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.openai_http import OpenAIUpstream
from tests.router.upstreams.wire import OK, answer, wire

QUICK = Timeouts(connect_s=0.5, first_token_s=0.3, idle_s=0.2, total_s=5)


def call(timeouts=QUICK, **fields):
    return Call(Target("mine", "m"), "/chat/completions", b"{}", None, stream=False, timeouts=timeouts, **fields)


@contextlib.asynccontextmanager
async def upstream(port, **options):
    made = OpenAIUpstream(f"http://127.0.0.1:{port}/v1", "secret-key", allow_private=True, **options)
    try:
        yield made
    finally:
        await made.aclose()


async def ask(script, timeouts=QUICK, **options):
    async with wire(script) as seen, upstream(seen.port, **options) as made:
        reply = await made.send(call(timeouts))
        try:
            return reply.status, await reply.body()
        finally:
            reply.close()
            assert made.origin.pool.in_use == 0


async def fault(script, timeouts=QUICK, **options):
    with pytest.raises(UpstreamFault) as caught:
        await ask(script, timeouts, **options)
    assert "secret-key" not in repr(caught.value) + caught.value.message
    return caught.value.outcome


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


async def test_a_large_request_body_arrives_whole():
    async with wire(answer(OK)) as seen, upstream(seen.port) as made:
        large = call(Timeouts())
        large.body = b"x" * 3_000_000
        await made.send(large)
        assert seen.requests[0].endswith(large.body)


def tls_pair(tmp_path):
    certificate, key = dev_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(certificate))
    return server, client


async def test_tls_is_verified_and_never_downgraded(tmp_path):
    server, client = tls_pair(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(*dev_certificate(tmp_path))
    async with wire(answer(OK), ssl=server) as seen:
        url = f"https://127.0.0.1:{seen.port}/v1"
        good = OpenAIUpstream(url, "k", allow_private=True, ssl_context=client)
        assert await (await good.send(call(Timeouts()))).body() == b"{}"
        await good.aclose()
        assert len(seen.requests) == 1
        unknown = OpenAIUpstream(url, "k", allow_private=True)
        wrong_host = OpenAIUpstream(url.replace("127.0.0.1", "127.0.0.2"), "k", allow_private=True, ssl_context=client)
        for bad in (unknown,):
            with pytest.raises(UpstreamFault) as caught:
                await bad.send(call(Timeouts()))
            assert caught.value.outcome is Outcome.TLS
            assert bad.origin.pool.in_use == 0
        assert len(seen.requests) == 1
        await wrong_host.aclose()
    async with wire(answer(OK), ssl=server, host="127.0.0.2") as seen:
        wrong_host = OpenAIUpstream(f"https://127.0.0.2:{seen.port}", "k", allow_private=True, ssl_context=client)
        with pytest.raises(UpstreamFault) as caught:
            await wrong_host.send(call(Timeouts()))
        assert caught.value.outcome is Outcome.TLS
        assert seen.requests == []


async def test_a_plain_port_and_a_silent_port_are_not_spoken_tls_with(tmp_path):
    _, client = tls_pair(tmp_path)

    async def silent(peer):
        await peer.gone()

    async with wire(silent) as seen:
        made = OpenAIUpstream(f"https://127.0.0.1:{seen.port}", "k", allow_private=True, ssl_context=client)
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.CONNECT_TIMEOUT


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
        test_a_cancelled_call_closes_its_connection_within_100_ms,
        test_a_close_delimited_body_ends_with_the_connection,
        test_a_reset_in_the_body_comes_after_the_bytes_that_arrived,
        test_a_slow_reader_slows_the_peer_down,
        test_a_thousand_cancels_at_any_moment_leave_nothing_behind,
        test_a_thousand_stale_connections_are_replayed_without_a_fault,
        test_cuts_are_told_apart,
        test_garbage_never_raises_anything_but_a_fault,
        test_idle_connections_expire_and_the_peer_may_ask_for_less,
        test_the_timers_keep_their_time,
    ],
    ids=lambda sentence: sentence.__name__.removeprefix("test_"),
)
def test_it_holds_on_uvloop_too(sentence):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(sentence()) is None


def test_tls_holds_on_uvloop_too(tmp_path):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(test_tls_is_verified_and_never_downgraded(tmp_path)) is None


async def test_no_descriptor_left_is_our_overload_and_not_the_targets_fault(monkeypatch):
    async def exhausted(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(http1, "start_connection", exhausted)
    async with upstream(9) as made:
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.ROUTER_OVERLOADED
        assert made.origin.pool.in_use == 0
