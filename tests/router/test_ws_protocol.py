"""Plain text frames may pass the queue, never each other; a client that misses its ping is told nothing more."""

import asyncio
import socket

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from router.ws_protocol import (
    LARGE_BYTES,
    LARGE_TEXT,
    NOT_SENT_LOW_WATER_BYTES,
    SEND_BUFFER_BYTES,
    SMALL_BYTES,
    SOUND_BYTES,
    CappedWebSocket,
)
from router.ws_short_way import SHORT_WAY
from router.ws_tide import Tide

REQUEST = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self):
        super().__init__()
        self.written, self.closed, self.paused = [], False, False

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


class Called:
    """An application that accepts and then reads when it is told to."""

    def __init__(self):
        self.ready = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.receive, self.send, self.extensions = receive, send, scope["extensions"]
        await receive()
        await send({"type": "websocket.accept"})
        self.ready.set()
        await self.over.wait()


def text(payload, *, fin=True):
    return Frame(Opcode.TEXT, payload, fin=fin).serialize(mask=True)


@pytest.fixture
async def opened():
    app, wire = Called(), Wire()
    config = uvicorn.Config(app, ws_per_message_deflate=False, lifespan="off", log_config=None)
    config.load()
    config.loaded_app = app
    protocol = CappedWebSocket(config, ServerState(), {})
    protocol.connection_made(wire)
    protocol.data_received(REQUEST)
    await app.ready.wait()
    yield protocol, app, wire
    app.over.set()
    await asyncio.gather(*protocol.tasks)
    protocol.connection_lost(None)
    assert SHORT_WAY not in app.extensions


async def test_text_goes_straight_to_who_asked_for_it_and_what_he_leaves_comes_in_order(opened):
    protocol, app, _ = opened
    taken = []

    def take(message):
        if message != b"wait":
            taken.append(message)
        return message != b"wait"

    app.extensions[SHORT_WAY]["way"].offer_to(take)
    line = text(b"one") + text(b"two")
    for at in range(0, len(line), 5):  # the ends of reads fall into heads, masks and payloads
        protocol.data_received(line[at : at + 5])
    assert taken == [b"one"]
    assert (await app.receive())["text"] == "two"  # its payload came in pieces
    protocol.data_received(text(b"three") + text(b"wait") + text(b"four"))
    assert taken[-1] == b"three"
    assert [(await app.receive())["text"] for _ in range(2)] == ["wait", "four"]
    protocol.data_received(text(b"five") + text(b"si", fin=False))
    protocol.data_received(Frame(Opcode.CONT, b"x").serialize(mask=True))
    assert taken[-1] == b"five"
    assert (await app.receive())["text"] == "six"


async def test_reads_wait_for_their_tide_and_are_not_lost_with_it(opened):
    protocol, app, _ = opened
    way, taken, turns = app.extensions[SHORT_WAY]["way"], [], []

    def take(message):
        taken.append(message)
        return True

    tide = Tide(lambda _seconds, turn: turns.append(turn))
    tide.change(20)
    way.offer_to(take, tide)
    one, two, three, four = (letter * SOUND_BYTES for letter in (b"1", b"2", b"3", b"4"))
    line = text(one) + text(two)
    protocol.data_received(line[:SOUND_BYTES])
    protocol.data_received(line[SOUND_BYTES:])
    assert (taken, len(turns)) == ([], 1)
    turns.pop()()
    assert taken == [one, two]
    protocol.data_received(text(three))
    protocol.data_received(text(b"now"))  # a word of the client's
    assert taken[2:] == [three, b"now"]
    turns.pop()()
    way.hurry(True)
    protocol.data_received(text(four))
    assert taken[4:] == [four]
    way.hurry(False)
    protocol.data_received(text(three))
    protocol.eof_received()
    assert taken[5:] == [three]
    protocol.data_received(text(b"x" * SMALL_BYTES))
    protocol.data_received(text(four))  # so much is not kept waiting
    assert [len(message) for message in taken[6:]] == [SMALL_BYTES, SOUND_BYTES]
    protocol.data_received(text(one))
    way.offer_to(None)
    assert taken[8:] == [one]
    tide.change(-13)
    assert tide.wait_s == 0  # the one that has gone does not count


async def test_text_is_written_at_once_until_the_client_does_not_read(opened):
    protocol, app, wire = opened
    way = app.extensions[SHORT_WAY]["way"]
    assert way.write([b"hello", b"you"])
    assert wire.written[-1] == b"\x81\x05hello\x81\x03you"
    protocol.pause_writing()
    assert not way.write([b"again"])
    protocol.resume_writing()
    await app.send({"type": "websocket.close", "code": 1000})
    assert not way.write([b"again"])
    assert wire.written[-1][0] == 0x88


async def test_after_a_missed_ping_nothing_is_said_and_nothing_raised(opened):
    protocol, app, wire = opened
    protocol.keepalive_timeout()
    said = len(wire.written)
    await app.send({"type": "websocket.send", "text": "still there?"})
    assert (len(wire.written), wire.closed) == (said, True)


async def test_little_waits_in_the_kernel_where_an_interruption_cannot_take_it_back():
    app, made = Called(), []
    config = uvicorn.Config(app, ws_per_message_deflate=False, lifespan="off", log_config=None)
    config.load()
    config.loaded_app = app

    def protocol():
        made.append(CappedWebSocket(config, ServerState(), {}))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(REQUEST)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    sock = made[0].transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOT_SENT_LOW_WATER_BYTES <= 16 * 1024
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES  # Linux books it twice
    app.over.set()
    writer.close()
    await asyncio.gather(*made[0].tasks)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("slices", [1, 7, 64 * 1024, 10**9])
async def test_a_large_text_comes_in_one_piece_that_was_never_copied_whole(opened, slices):
    socket_, called, taken = opened[0], opened[1], []
    called.extensions[SHORT_WAY]["way"].offer_to(lambda text: not taken.append(text))
    payload = bytes(97 + at % 26 for at in range(LARGE_BYTES + 3))
    wire = text(payload) + text(b"small")
    if slices < 8:
        head, rest = wire[:20], wire[20:]
        pieces = [head[at : at + slices] for at in range(0, 20, slices)] + [rest]
    else:
        pieces = [wire[at : at + slices] for at in range(0, len(wire), slices)]
    for piece in pieces:
        socket_.data_received(piece)
    message = await called.receive()
    assert message == {"type": "websocket.receive", LARGE_TEXT: bytearray(payload)}
    rest = taken or [(await called.receive())["text"].encode()]
    assert rest == [b"small"]


async def test_a_large_text_that_is_no_ascii_is_decoded_as_ever_and_ends_the_connection_when_it_cannot_be(opened):
    socket_, called = opened[0], opened[1]
    called.extensions[SHORT_WAY]["way"].offer_to(lambda _text: False)
    words = "ä" * LARGE_BYTES
    socket_.data_received(text(words.encode()))
    assert (await called.receive())["text"] == words
    socket_.data_received(text(b"\xff" * (LARGE_BYTES + 1)))
    assert (await called.receive())["type"] == "websocket.disconnect"
