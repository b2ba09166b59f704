"""RFC 6455 against the voice endpoint, frame by frame: a ported list of the usual conformance cases, and attacks."""

import base64
import contextlib
import json
import os
import socket
import struct
import time

import pytest

from tests.faults.street import KEY, Street

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with Street(tmp_path_factory.mktemp("frames")) as street:
        street.witness.unheard = True  # these clients speak for themselves
        Wire(street).bye()
        yield street
        assert street.process.poll() is None
        assert "Traceback" not in street.stderr.read_text()


def frame(opcode, payload=b"", *, fin=True, rsv=0, masked=True, declared=None):
    """One client frame; `declared` lies about the length."""
    size = len(payload) if declared is None else declared
    bit = 0x80 if masked else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))


class Wire:
    """A raw WebSocket client behind its handshake, the session's first event read."""

    def __init__(self, street, *, extra=""):
        self.sock = socket.create_connection(("127.0.0.1", street.port), timeout=10)
        self.sock.sendall(
            (
                "GET /v1/realtime?model=east/ok HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                f"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
                f"authorization: Bearer {KEY}\r\n{extra}\r\n"
            ).encode()
        )
        self.seen = b""
        while b"\r\n\r\n" not in self.seen:
            self.seen += self.sock.recv(65536)
        self.head, _, self.seen = self.seen.partition(b"\r\n\r\n")
        assert b" 101 " in self.head
        opcode, payload = self.receive()
        assert (opcode, b"session.created" in payload) == (TEXT, True)

    def send(self, *frames):
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(b"".join(frames))

    def receive(self):
        """The next frame: opcode and payload; (None, b"") when the connection is gone."""
        with contextlib.suppress(ConnectionError):
            while True:
                if len(self.seen) >= 2:
                    size, start = self.seen[1] & 127, 2
                    if size == 126 and len(self.seen) >= 4:
                        size, start = struct.unpack(">H", self.seen[2:4])[0], 4
                    elif size == 127 and len(self.seen) >= 10:
                        size, start = struct.unpack(">Q", self.seen[2:10])[0], 10
                    if (size < 126 or start > 2) and len(self.seen) >= start + size:
                        opcode, payload = self.seen[0] & 15, self.seen[start : start + size]
                        self.seen = self.seen[start + size :]
                        return opcode, payload
                piece = self.sock.recv(65536)
                if not piece:
                    break
                self.seen += piece
        return None, b""

    def closed_with(self):
        """The code of the close frame, None for a close without one."""
        while True:
            opcode, payload = self.receive()
            if opcode is None:
                return "gone"
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else None

    def bye(self):
        self.sock.close()


@pytest.fixture
def wire(street):
    made = Wire(street)
    yield made
    made.bye()


def lives(wire):
    """The session still answers."""
    wire.send(frame(PING, b"alive?"))
    while (got := wire.receive())[0] is not None:
        if got == (PONG, b"alive?"):
            return True
    return False


@pytest.mark.parametrize("size", [0, 125, 126, 127, 128, 65535, 65536, 1_000_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_1_frames_of_every_size_are_taken(wire, opcode, size):
    wire.send(frame(opcode, b"*" * size))
    opcode, payload = wire.receive()
    assert opcode == TEXT
    assert b'"error"' in payload
    assert lives(wire)


def test_1_a_frame_in_single_bytes_is_taken(wire):
    for byte in frame(TEXT, b"{}"):
        wire.send(bytes([byte]))
    assert b'"error"' in wire.receive()[1]


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff\xfe", b"y" * 125])
def test_2_a_ping_is_answered_with_its_payload(wire, payload):
    wire.send(frame(PING, payload))
    assert wire.receive() == (PONG, payload)


def test_2_ten_pings_are_ten_pongs_in_order(wire):
    wire.send(*(frame(PING, b"%d" % n) for n in range(10)))
    assert [wire.receive() for _ in range(10)] == [(PONG, b"%d" % n) for n in range(10)]


def test_2_a_pong_nobody_asked_for_is_ignored(wire):
    wire.send(frame(PONG, b"hello"))
    assert lives(wire)


BROKEN = {
    "2 ping of 126 bytes": frame(PING, b"x" * 126),
    "2 fragmented ping": frame(PING, b"x", fin=False),
    **{f"3 reserved bits {rsv}": frame(TEXT, b"x", rsv=rsv) for rsv in range(1, 8)},
    **{f"4 opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5 a continuation without a start": frame(CONT, b"x"),
    "5 an unfinished continuation without a start": frame(CONT, b"x", fin=False),
    "5 a new message inside a fragmented one": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "5 a binary inside a fragmented text": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
    "7 a close of one byte": frame(CLOSE, b"x"),
    "7 a close of 126 bytes": frame(CLOSE, struct.pack(">H", 1000) + b"x" * 124),
    **{
        f"7 close code {code}": frame(CLOSE, struct.pack(">H", code))
        for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 65535)
    },
    "an unmasked frame": frame(TEXT, b"x", masked=False),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_is_1002(wire, name):
    wire.send(BROKEN[name])
    assert wire.closed_with() == 1002


INVALID_UTF8 = [
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xc2", b"\xe2\x82", b"ok \xe2\x28\xa1",
]  # fmt: skip


@pytest.mark.parametrize("payload", INVALID_UTF8, ids=bytes.hex)
def test_6_text_that_is_no_utf8_is_1007(wire, payload):
    wire.send(frame(TEXT, payload))
    assert wire.closed_with() == 1007


def test_6_a_close_reason_that_is_no_utf8_is_1007_or_1002(wire):
    wire.send(frame(CLOSE, struct.pack(">H", 1000) + b"\xff"))
    assert wire.closed_with() in (1002, 1007)


def test_6_a_code_point_may_be_split_over_fragments(wire):
    euro = '{"type": "€"}'.encode()
    wire.send(frame(TEXT, euro[:11], fin=False), frame(CONT, euro[11:]))
    assert b'"error"' in wire.receive()[1]
    assert lives(wire)


def test_5_a_ping_between_fragments_is_answered_at_once(wire):
    wire.send(frame(TEXT, b"{", fin=False), frame(PING, b"now"))
    assert wire.receive() == (PONG, b"now")
    wire.send(frame(CONT, b"}"))
    assert b'"error"' in wire.receive()[1]


def test_5_empty_fragments_are_taken(wire):
    wire.send(frame(TEXT, b"", fin=False), frame(CONT, b"", fin=False), frame(CONT, b"{}"))
    assert b'"error"' in wire.receive()[1]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_7_a_close_is_answered_with_its_code(wire, code):
    wire.send(frame(CLOSE, struct.pack(">H", code) + b"bye"))
    assert wire.closed_with() == code


def test_7_a_close_without_a_code_is_answered(wire):
    wire.send(frame(CLOSE))
    assert wire.closed_with() in (None, 1000)


def test_7_nothing_is_answered_behind_a_close(wire):
    wire.send(frame(CLOSE, struct.pack(">H", 1000)), frame(PING, b"still?"))
    assert wire.closed_with() == 1000
    assert wire.receive() == (None, b"")


@pytest.mark.parametrize(
    ("declared", "codes"), [(25 * 1024 * 1024, {1009}), (2**62, {1009, 1002}), (2**63, {1002, 1009})]
)
def test_a_message_that_is_too_large_is_refused_before_it_is_there(street, wire, declared, codes):
    before = street.resident_bytes()
    wire.send(frame(TEXT, b"x" * 100, declared=declared))
    assert wire.closed_with() in codes
    assert street.resident_bytes() - before < 8_000_000


def test_a_hundred_thousand_fragments_are_1009(street, wire):
    before = street.resident_bytes()
    wire.send(frame(TEXT, b"x", fin=False))
    wire.send(frame(CONT, b"x", fin=False) * 100_000)
    assert wire.closed_with() in (1009, "gone")
    assert street.resident_bytes() - before < 32_000_000


def test_compression_is_not_agreed_on(street):
    wire = Wire(street, extra="sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n")
    assert b"permessage-deflate" not in wire.head.lower()
    wire.bye()


def test_a_client_that_does_not_read_costs_little_and_hurts_nobody(street):
    deaf = Wire(street)
    before = street.resident_bytes()
    deaf.sock.settimeout(0.2)
    with contextlib.suppress(TimeoutError, ConnectionError):
        for _ in range(3000):
            deaf.sock.sendall(frame(TEXT, b"{}") * 10)
    other = Wire(street)
    began = time.monotonic()
    assert lives(other)
    assert time.monotonic() - began < 2
    assert street.resident_bytes() - before < 40_000_000
    other.bye()
    deaf.bye()


def test_text_frames_are_cut_out_wherever_a_read_ends(wire):
    update = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    wire.send(frame(TEXT, json.dumps({"type": "session.update", "session": update}).encode()))
    assert b"session.updated" in wire.receive()[1]
    audio = base64.b64encode(bytes(960)).decode()
    append = frame(TEXT, json.dumps({"type": "input_audio_buffer.append", "audio": audio}).encode())
    half = len(append) // 2
    line = append * 3 + frame(PING, b"here") + frame(TEXT, b'{"type": ', fin=False) + frame(PING, b"still")
    line += frame(CONT, b'"input_audio_buffer.nothing"}') + append * 3 + frame(TEXT, b"{}") + append
    for at in range(0, len(line), half + 7):
        wire.send(line[at : at + half + 7])
        time.sleep(0.002)
    assert [wire.receive() for _ in range(2)] == [(PONG, b"here"), (PONG, b"still")]
    assert b"input_audio_buffer.nothing" in wire.receive()[1]
    assert b"missing_required_parameter" in wire.receive()[1]
    wire.send(append, frame(TEXT, b'{"type": "input_audio_buffer.commit"}'))
    assert b"input_audio_buffer.committed" in wire.receive()[1]


def test_a_second_text_inside_a_fragmented_one_is_1002_though_it_is_plain(wire):
    wire.send(frame(TEXT, b"{", fin=False), frame(TEXT, b"{}"))
    assert wire.closed_with() == 1002


def test_plain_text_that_is_no_utf8_is_1007_behind_a_good_frame(wire):
    wire.send(frame(TEXT, b"{}") + frame(TEXT, b"\xff\xfe"))
    assert wire.closed_with() == 1007
