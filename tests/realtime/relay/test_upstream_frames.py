"""Frames that break RFC 6455, from a provider: the line to it ends with a fault, and the provider is told why."""

import asyncio
import base64
import contextlib
import hashlib
import struct

import pytest

from policies import Outcome
from realtime.relay.upstream import MAX_MESSAGE_BYTES, RealtimeUpstream
from router.upstreams.base import UpstreamFault
from tests.security.test_frames import BROKEN, CLOSE, CONT, INVALID_UTF8, PING, TEXT, frame

from .rig import event
from .test_upstream import provider, step

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
GREETING = event("session.created", session={"id": "s"}).encode()


def unmasked(raw):
    """The same frames as a server writes them."""
    said = b""
    while raw:
        size, start = raw[1] & 127, 2
        if size == 126:
            size, start = struct.unpack(">H", raw[2:4])[0], 4
        key, body, rest = raw[start : start + 4], raw[start + 4 : start + 4 + size], raw[start + 4 + size :]
        said += raw[:1] + bytes([raw[1] & 127]) + raw[2:start] + bytes(b ^ key[n % 4] for n, b in enumerate(body))
        raw = rest
    return said


class RawUpstream:
    """Agrees to the upgrade, greets, and says these bytes; `heard` is what comes back."""

    def __init__(self, said):
        self.said, self.heard = said, asyncio.get_running_loop().create_future()

    @contextlib.asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: %b\r\n\r\n" % accept + frame(TEXT, GREETING, masked=False)
        )
        writer.write(self.said)
        self.heard.set_result(await reader.read(1000))
        writer.close()


async def to_the_end(line):
    while True:
        await line.receive()


async def ended(said):
    """How a line ends on which these bytes are said, and the close code that the provider is told."""
    there = RawUpstream(said)
    async with there.running() as port, asyncio.timeout(5):
        upstream = RealtimeUpstream("mine", provider(port))
        line = await upstream.connect(step())
        assert await line.receive() == GREETING
        with pytest.raises(UpstreamFault) as caught:
            await to_the_end(line)
        await line.close()
        await upstream.aclose()
        sent = unmasked(await there.heard)
    return caught.value.outcome, struct.unpack(">H", sent[2:4])[0] if sent[:1] == bytes([0x80 | CLOSE]) else None


GOODBYES = ("7 close code 1006", "7 close code 65535")  # the library takes them for a proper end; so be it
FAULTS = {name: unmasked(raw) for name, raw in BROKEN.items() if name != "an unmasked frame"}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_breaks_the_protocol_ends_the_line(name):
    outcome, told = await ended(FAULTS[name])
    assert outcome in (Outcome.IN_BAND_ERROR, Outcome.RESET_BEFORE_COMMIT)
    assert told == (1000 if name in GOODBYES else 1002)


@pytest.mark.parametrize("payload", INVALID_UTF8, ids=bytes.hex)
async def test_a_close_reason_that_is_no_utf8_ends_the_line(payload):
    outcome, _ = await ended(frame(CLOSE, struct.pack(">H", 1011) + payload, masked=False))
    assert outcome in (Outcome.IN_BAND_ERROR, Outcome.HTTP_5XX)


@pytest.mark.parametrize("declared", [MAX_MESSAGE_BYTES + 1, 2**40, 2**62])
async def test_a_message_that_is_too_large_is_refused_before_it_is_there(declared):
    outcome, told = await ended(frame(TEXT, b"x", masked=False, declared=declared))
    assert told == 1009
    assert outcome == Outcome.BAD_REQUEST


async def test_fragments_and_pings_between_them_are_one_message():
    parts = [frame(TEXT, b'{"ty', fin=False, masked=False), frame(PING, b"?", masked=False)]
    there = RawUpstream(b"".join([*parts, frame(CONT, b'pe":"x"}', masked=False)]))
    async with there.running() as port, asyncio.timeout(5):
        upstream = RealtimeUpstream("mine", provider(port))
        line = await upstream.connect(step())
        assert [await line.receive(), await line.receive()] == [GREETING, b'{"type":"x"}']
        await line.close()
        await upstream.aclose()
