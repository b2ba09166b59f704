"""The short way for audio finds what the long one finds, and leaves it everything else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import protocol as p
from realtime.codec import usual_audio

from .client_frames import AUDIO, decode


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_short_way_finds_the_audio_that_the_long_one_finds(separators):
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": AUDIO}, separators=separators).encode()
    assert usual_audio(frame) == base64.b64decode(AUDIO) == decode(frame).audio


APPEND = '{"type":"input_audio_buffer.append","audio":"%s"}'


@pytest.mark.parametrize(
    "frame",
    [
        APPEND % "AAA",
        APPEND % "AA*A",
        APPEND % 'AAAA","event_id":"e1',
        APPEND % 'AAAA","type":"input_audio_buffer.commit',
        APPEND % 'AAAA","audio":"BBBB',
        APPEND % "AAAA" + "x",
        '{"type":"input_audio_buffer.commit"}',
        '{"type":"input_audio_buffer.commit","audio":"AAAA"}',
        '{"type":"input_audio_buffer.append","sound":"AAAA"}',
        "[]",
        "",
    ],
)
def test_whatever_is_not_that_and_nothing_else_takes_the_long_way(frame):
    assert usual_audio(frame.encode()) is None


@pytest.mark.parametrize(
    "frame",
    [
        APPEND % "AAAA\\u0041AAA",
        APPEND % "AAAA" + " ",
        APPEND % ("A" * 80_000),
        '{"audio":"AAAA",\n"type":"input_audio_buffer.append"}',
    ],
)
def test_however_it_is_spelled_the_audio_is_the_same(frame):
    assert usual_audio(frame.encode()) == decode(frame).audio


@given(st.text(alphabet='AB/+=\\"{}, :', max_size=12))
def test_the_short_way_never_takes_what_the_long_one_refuses(text):
    frame = (APPEND % text).encode()
    audio = usual_audio(frame)
    assert audio is None or decode(frame) == p.AppendAudio(audio=audio, at_ms=5.0)
