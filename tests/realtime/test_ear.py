"""The input side: listeners hear in step with the detector, and nothing is forgotten that may still be wanted."""

from collections import deque

import numpy as np
import pytest

from realtime.ear import Ear
from realtime.protocol import AudioFormat, TurnDetection
from realtime.stages.base import SpeechStarted, SpeechStopped
from realtime.stages.silero import shared_silero
from realtime.stages.vad import VadBatcher

WIRE = AudioFormat("pcm16", 16_000)


@pytest.fixture
def rig():
    loop, told = deque(), []
    ear = Ear(VadBatcher(shared_silero(), loop.append), told.append)
    ear.tune(WIRE, TurnDetection(), suggest_after_ms=None)

    def run():
        while loop:
            loop.popleft()()

    return ear, told, run


def test_audio_that_comes_at_once_is_heard_frame_by_frame_and_kept_until_then(rig, caller):
    ear, told, run = rig
    quiet = np.zeros(16_000 * 3, dtype="<i2")
    sound = np.concatenate([quiet, caller("what is the time"), quiet])
    heard = []
    ear.listen(heard.append)
    ear.hear(sound.astype("<i2").tobytes())
    assert (heard, ear.heard_ms) == ([], 0)
    assert ear.waiting_frames == len(sound) // 512
    run()
    started, stopped = told
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert 2_700 < started.at_ms < 3_300
    assert b"".join(heard) == sound[: len(sound) // 512 * 512].tobytes()
    assert ear.waiting_frames == 0


def test_quiet_audio_is_forgotten_but_for_the_padding_and_a_second(rig):
    ear, told, run = rig
    for _ in range(100):
        ear.hear(bytes(3_200))
        run()
    kept = ear.between(0)
    assert told == []
    assert 1_300 * 32 <= len(kept) < 1_700 * 32
    ear.hold(holding=True)
    for _ in range(50):
        ear.hear(bytes(3_200))
        run()
    assert len(ear.between(0)) >= len(kept) + 50 * 3_200 - 3_200


def test_without_a_detector_listeners_hear_at_once_and_an_odd_byte_waits(rig):
    ear, _, _ = rig
    ear.tune(WIRE, None, suggest_after_ms=None)
    heard = []
    ear.listen(heard.append)
    ear.hear(b"\x01\x00\x02")
    ear.hear(b"\x00")
    assert b"".join(heard) == b"\x01\x00\x02\x00"
    assert ear.waiting_frames == 0
    ear.unlisten(heard.append)
    ear.close()
    ear.close()


def test_a_cleared_buffer_begins_where_the_audio_stands(rig, caller):
    ear, told, run = rig
    ear.hear(
        np.concatenate([np.zeros(16_000, dtype="<i2"), caller("what is the time")[:12_000]]).astype("<i2").tobytes()
    )
    run()
    assert ear.speaking
    ear.restart()
    assert not ear.speaking
    assert ear.between(0) == b""
    assert [type(event) for event in told] == [SpeechStarted]
    assert ear.heard_ms == pytest.approx(ear.position_ms, abs=1)


def test_audio_that_completes_no_frame_is_put_aside_and_counted_all_the_same(rig):
    ear, _, run = rig
    ear.tune(AudioFormat("pcm16", 24_000), TurnDetection(), suggest_after_ms=None)
    rng = np.random.default_rng(3)
    chunks = [rng.integers(-99, 99, 480).astype("<i2").tobytes() for _ in range(200)]
    for count, chunk in enumerate(chunks, start=1):
        ear.hear(chunk)
        lag_ms = count * 20 - ear.heard_ms
        assert lag_ms < 32 + 2 or ear.waiting_frames == 1
        run()
    assert ear.position_ms == pytest.approx(4_000, abs=2)
    kept, whole = (np.frombuffer(one.between(3_000), "<i2") for one in (ear, rig_in_one(b"".join(chunks))))
    assert len(kept) == len(whole)
    assert np.abs(kept.astype(int) - whole).max() <= 1  # products of other shapes round differently


def rig_in_one(audio):
    ear = Ear(VadBatcher(shared_silero(), lambda _: None), lambda _: None)
    ear.tune(AudioFormat("pcm16", 24_000), TurnDetection(), suggest_after_ms=None)
    ear.hold(holding=True)
    ear.hear(audio)
    return ear


@pytest.mark.parametrize(
    "wire", [AudioFormat("ulaw", 8_000), AudioFormat("pcm16", 44_100), AudioFormat("float32", 48_000)]
)
def test_what_waits_when_the_format_changes_goes_on_in_the_new_one(rig, wire):
    ear, _, run = rig
    ear.hold(holding=True)
    for _ in range(3):
        ear.tune(AudioFormat("pcm16", 24_000), TurnDetection(), suggest_after_ms=None)
        ear.hear(bytes(2 * 2_388))
        run()
        ear.tune(wire, TurnDetection(), suggest_after_ms=None)
        ear.hear(bytes(int(wire.rate * 0.1) * wire.bytes_per_sample))
        run()
    assert ear.position_ms == pytest.approx(600, abs=5)
    assert len(ear.between(0)) == round(ear.position_ms * 32)


def test_a_detector_that_goes_and_comes_costs_no_audio(rig):
    ear, _, run = rig
    sound = np.random.default_rng(5).integers(-99, 99, 16_000).astype("<i2").tobytes()
    heard = []
    ear.hold(holding=True)
    ear.listen(heard.append)
    for number, at in enumerate(range(0, len(sound), 1_000)):
        ear.tune(WIRE, TurnDetection() if number // 5 % 2 else None, suggest_after_ms=None)
        ear.hear(sound[at : at + 1_000])
        run()
    ear.tune(WIRE, None, suggest_after_ms=None)
    assert b"".join(heard) == ear.between(0) == sound
    ear.forget_before(10)
    assert ear.between(0) == ear.between(10) == sound[320:]
    assert ear.between(100, 200) == sound[3_200:6_400]
