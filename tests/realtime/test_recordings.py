"""The sound of items: as it was, as long as it fits, and no longer than the item stands for."""

import numpy as np
import pytest

from realtime import protocol as p
from realtime.recordings import Recordings

PCM = p.AudioFormat("pcm16", 24_000)
TONE = (8000 * np.sin(np.arange(16_000) / 5)).astype("<i2").tobytes()  # a second as it is heard


def spoken(item_id="item_1", *, ms=1000.0, transcript="hi"):
    return p.Message(item_id, "assistant", (p.AudioPart(transcript, ms),))


def heard(item_id="item_1"):
    return p.Message(item_id, "user", (p.AudioPart("hello", 1000.0),))


def audio(item):
    return item.content[0].audio


@pytest.mark.parametrize(
    ("form", "size"), [(PCM, 48_000), (p.AudioFormat("ulaw", 8000), 8_000), (p.AudioFormat("pcm16", 16_000), 32_000)]
)
def test_what_was_heard_comes_in_the_format_of_the_session(form, size):
    recordings = Recordings(100_000)
    recordings.add("item_1", TONE)
    assert len(audio(recordings.with_sound(heard(), form))) == size


def test_what_was_spoken_comes_as_it_was_sent_and_truncated_as_the_item_is():
    recordings = Recordings(100_000)
    for piece in (b"\1\0" * 12_000, b"\2\0" * 12_000):
        recordings.add("item_1", piece, PCM)
    assert audio(recordings.with_sound(spoken(), PCM)) == b"\1\0" * 12_000 + b"\2\0" * 12_000
    assert audio(recordings.with_sound(spoken(ms=250.0), PCM)) == b"\1\0" * 6_000
    assert audio(recordings.with_sound(spoken(ms=0.0, transcript=None), PCM)) is None


def test_the_oldest_goes_first_and_what_does_not_fit_is_not_kept():
    recordings = Recordings(50_000)
    recordings.add("item_1", TONE)
    recordings.add("item_2", TONE)
    assert recordings.size == len(TONE)
    assert audio(recordings.with_sound(heard("item_1"), PCM)) is None
    assert audio(recordings.with_sound(heard("item_2"), PCM))
    for _ in range(3):
        recordings.add("item_3", b"\0" * 20_000, PCM)
    assert recordings.size <= 50_000
    assert audio(recordings.with_sound(spoken("item_3"), PCM)) is None


def test_nothing_is_kept_where_nothing_may_be():
    recordings = Recordings(0)
    recordings.add("item_1", TONE)
    assert recordings.size == 0
    assert recordings.with_sound(heard(), PCM) == heard()


def test_a_deleted_item_takes_its_sound_along_and_other_items_have_none():
    recordings = Recordings(50_000)
    recordings.add("item_1", TONE)
    recordings.drop("item_1")
    recordings.drop("item_1")
    assert recordings.size == 0
    call = p.FunctionCall("item_1", "call_1", "look")
    recordings.add("item_1", TONE)
    assert recordings.with_sound(call, PCM) is call
    written = p.Message("item_1", "user", (p.TextPart("hi"),))
    assert recordings.with_sound(written, PCM) == written
