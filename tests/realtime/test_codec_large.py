"""Minutes of audio in one event: taken apart without a difference to what is decoded in one go."""

import base64
import json

import pytest

from realtime import protocol as p
from realtime.codec import Codec, Dialect, Refusal
from realtime.codec.large import audio_pieces, parted

AUDIO = bytes(range(256)) * 2_100  # more than one piece
TEXT = base64.b64encode(AUDIO).decode()


def frame(audio=TEXT, **more):
    return bytearray(json.dumps({"type": "input_audio_buffer.append", **more, "audio": audio}).encode())


def whole(wire):
    rest, start, end = parted(wire)
    return rest, b"".join(audio_pieces(wire, start, end))


@pytest.mark.parametrize("more", [{}, {"event_id": "event_1"}])
def test_audio_and_event_are_those_of_the_whole(more):
    rest, audio = whole(frame(**more))
    assert audio == AUDIO
    assert json.loads(rest) == {"type": "input_audio_buffer.append", **more, "audio": ""}
    codec = Codec(Dialect.GA, event_ids=lambda: "e")
    assert codec.decode(frame(**more)) == p.AppendAudio(audio=AUDIO, event_id=more.get("event_id"))


@pytest.mark.parametrize(
    "broken", [f"{TEXT}*", f"{TEXT[:-1]}", f"{TEXT[: 256 * 1024 - 1]}={TEXT}", f"{TEXT[:400]}=={TEXT[402:]}"]
)
def test_what_is_no_base64_is_refused_wherever_it_breaks(broken):
    with pytest.raises(Refusal, match="base64"):
        whole(frame(broken))


def test_more_than_fifteen_mebibytes_are_refused_without_decoding():
    wire = frame("A" * (16 * 1024 * 1024 // 3 * 4))
    with pytest.raises(Refusal, match="15 MiB"):
        whole(wire)


def test_one_byte_beyond_fifteen_mebibytes_is_refused_though_its_text_is_not_too_long():
    with pytest.raises(Refusal, match="15 MiB"):
        whole(frame(base64.b64encode(bytes(15 * 1024 * 1024 + 1)).decode()))


@pytest.mark.parametrize(
    "wire",
    [
        bytearray(b'{"type": "session.update"}'),
        bytearray(b'{"audio": "never ends'),
        frame(TEXT.replace("+", "\\/")),
        frame("AAAA", event_id="x" * 5_000),
        bytearray(b'{"type": "x", "audio": "AA", "more": "%b"}' % (b"y" * 5_000)),
    ],
)
def test_what_is_written_otherwise_is_left_to_the_decoder(wire):
    assert parted(wire) is None
