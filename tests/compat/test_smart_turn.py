"""Smart Turn with its real model, which comes with pipecat: ours agrees with pipecat's reading of it, and is used.

How often the model is right is not asserted: it was made for people, and these voices are not.
"""

import json
import shutil
import subprocess
import wave

import numpy as np
import pytest

from tests.realtime.voice_rig import connected

from .clients import SMART_TURN
from .conftest import KEY, serve
from .environments import ROOT, made, run

pytestmark = pytest.mark.compat
SENTENCES = (
    "can you tell me how long the train takes to london",
    "please turn off the lights in the kitchen",
    "no stop that is not what i meant",
    "set an alarm for half past six tomorrow",
    "where is the nearest train station",
)
VOICES = ("rms", "slt", "kal16", "awb")
QUIET = np.zeros(3_200, dtype=np.int16)  # the pause at which one asks


@pytest.fixture(scope="module")
def recordings(home):
    """Name -> 16 kHz samples: each sentence whole, and broken off a little beyond its middle."""
    flite = shutil.which("flite")
    if flite is None:
        pytest.skip("the speakers need the program 'flite'")
    folder = home / "smart-turn"
    folder.mkdir()
    found = {}
    for voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            sound = folder / "said.wav"
            subprocess.run([flite, "-voice", voice, "-t", sentence, "-o", str(sound)], check=True, capture_output=True)
            with wave.open(str(sound)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            loud = np.flatnonzero(np.abs(samples) > 300)
            said = samples[loud[0] : loud[-1] + 1]
            for name, part in (("whole", said), ("broken", said[: len(said) * 55 // 100])):
                found[f"{name}-{voice}-{number}"] = np.concatenate([part, QUIET])
    found["nothing"] = np.zeros(0, dtype=np.int16)
    found["long"] = np.tile(said, 4)
    return found


@pytest.fixture(scope="module")
def compared(home, recordings):
    places = {}
    for name, samples in recordings.items():
        places[name] = str(home / "smart-turn" / f"{name}.pcm")
        samples.tofile(places[name])
    given = {"root": str(ROOT), "recordings": places}
    return run(SMART_TURN, "pipecat_smart_turn/judge.py", given, home=home)


def test_the_model_is_found_in_the_package_that_carries_it(compared):
    assert compared["model"].endswith("pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx")


def test_features_and_probabilities_are_pipecats(compared, recordings):
    rows = compared["rows"]
    assert len(rows) == len(recordings)
    assert max(apart for _, apart, _, _ in rows) < 1e-5
    assert [mine for _, _, mine, _ in rows] == pytest.approx([theirs for _, _, _, theirs in rows], abs=0.01)


def test_the_model_is_sure_of_some_and_doubts_others(compared):
    said = [mine for _, _, mine, _ in compared["rows"]]
    assert min(said) < 0.2
    assert max(said) > 0.8


def test_a_verdict_costs_what_the_documentation_says(compared):
    assert compared["features_ms"] < 15  # of processor time; 3.6 on a quiet machine
    assert compared["inference_ms"] < 150  # 31 to 45


@pytest.fixture(scope="module")
def judging_house(home, upstream):
    """A server that finds the model by itself."""
    process = serve(home, upstream, "judging", path=(made(SMART_TURN.name, SMART_TURN.packages, SMART_TURN.install),))
    yield int(process.found[1])
    process.stop()


async def test_a_session_is_judged_by_sound_when_the_model_is_there(judging_house, compared, recordings):
    said = {name: mine for name, _, mine, _ in compared["rows"] if name.startswith("whole")}
    surest = max(said, key=said.get)
    path = "/api/v1/realtime/session?key=k&protocol=realtime"
    turns = {"type": "semantic_vad", "eagerness": "low", "create_response": False}
    async with connected(judging_house, path, headers={"authorization": f"Bearer {KEY}"}) as client:
        await client.send("session.update", session={"audio": {"input": {"turn_detection": turns}}})
        await client.until("session.updated")
        client.say(recordings[surest])
        hint = await client.until("input_audio_buffer.turn_suggestion")
        stopped = await client.until("input_audio_buffer.speech_stopped")
        waited_s = client.when(stopped) - client.said_at
        await client.send(
            "session.update", session={"providerData": {"stt": {"end_of_turn_confidence_threshold": 1.0}}}
        )
        await client.until("session.updated")
        client.mark()
        client.say(recordings[surest])
        await client.until("input_audio_buffer.speech_started")
        silent = "input_audio_buffer.turn_suggestion" not in client.kinds()[client._mark :]
    assert 0.5 < hint["probability"] <= 1
    assert hint["inference_ms"] > 0
    assert 1_000 < hint["audio_duration_ms"] <= 8_000
    assert waited_s < 3  # the longest wait of low eagerness is 8 s
    assert silent, json.dumps(client.kinds()[-10:])
