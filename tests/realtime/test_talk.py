"""`talk` against a running router: what the terminal shows, what is written, and clear words when it cannot be."""

import subprocess
import sys
import wave

import numpy as np
import pytest

from realtime.talk_sources import CHUNK_BYTES, NoSourceError, from_file, in_real_time, microphone
from realtime.talk_waterfall import waterfall

from .voice_rig import ROOT, grammar, running

SERVER = """
version: 1
records: {url: null}
providers: {demo: {kind: demo}}
routers: [routers]
realtime: {transcription: {grammar: sentences.jsgf}}
"""
EITHER = "[{id: a, weight: 50, model: demo/fast}, {id: b, weight: 50, model: demo/fast}]"
SPLIT = f"router: split\nunit: [user]\ndefault: {{id: both, variants: {EITHER}}}\n"
ROUTER = "router: demo\ndefault: {id: default, variants: [{id: fast, weight: 100, model: demo/fast}]}\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with running(grammar(tmp_path_factory.mktemp("voice")), SERVER, {"demo": ROUTER, "split": SPLIT}) as port:
        yield port


def talk(*words):
    command = [sys.executable, "-m", "realtime", "talk", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def test_a_spoken_question_is_answered_shown_and_written(port, tmp_path, caller):
    caller()  # or the machine has no voice
    out = tmp_path / "reply.wav"
    url = f"http://127.0.0.1:{port}"
    told = talk("--say", "count to five", "--url", url, "--out", str(out), "--user", "ann", "--metadata", "tier=gold")
    assert told.returncode == 0, told.stderr
    for words in (
        "count to five",
        "one, two, three, four, five",
        "demo/fast",
        "local/pocketsphinx",
        "route_id=default",
    ):
        assert words in told.stdout
    for stage in ("turn over", "words heard", "first word", "first audio"):
        assert stage in told.stdout
    with wave.open(str(out)) as clip:
        assert clip.getframerate() == 24_000
        assert clip.getnframes() > 24_000


def test_a_wav_file_is_a_question_too(port, tmp_path, caller):
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(16_000)
        clip.writeframes(caller("what is the time").tobytes())
    told = talk(str(path), "--url", f"http://127.0.0.1:{port}")
    assert told.returncode == 0, told.stderr
    assert "what is the time" in told.stdout


@pytest.mark.parametrize(("who", "shown"), [((), False), (("--user", "ann"), True)])
def test_a_variant_that_was_drawn_for_the_call_alone_is_not_guessed(port, caller, who, shown):
    caller()
    told = talk("--say", "count to five", "--model", "router/split", "--url", f"http://127.0.0.1:{port}", *who)
    assert "route_id=both" in told.stdout
    assert ("variant_id=" in told.stdout) is shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--say", "hi", "--url", "http://127.0.0.1:1"), "start it with: realtime-router serve"),
        (("no-such.wav",), "cannot read 'no-such.wav'"),
        (("--say", "hi", "--metadata", "nothing"), "is not KEY=VALUE, such as tier=vip"),
        (("--say", "hi", "--out", "/nowhere/reply.wav"), "--out: there is no folder '/nowhere'"),
    ],
)
def test_what_cannot_be_said_is_explained(words, said):
    told = talk(*words)
    assert told.returncode == 1
    assert said in told.stderr


def test_a_refused_session_says_why(port):
    told = talk("--say", "hi", "--url", f"http://127.0.0.1:{port}", "--model", "router/none")
    assert told.returncode == 1
    assert "there is no router 'none'" in told.stderr


async def test_without_a_recorder_there_is_no_microphone(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoSourceError, match="arecord or parecord is not installed"):
        await anext(microphone())


def test_a_file_that_is_no_wav_is_refused(tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(b"not sound at all")
    with pytest.raises(NoSourceError, match=r"x\.wav"):
        from_file(path)


async def test_sound_comes_in_real_time_and_silence_after_it():
    source = in_real_time(np.ones(500, dtype="<i2").tobytes())
    first, second, third = [await anext(source) for _ in range(3)]
    await source.aclose()
    assert first == np.ones(480, dtype="<i2").tobytes()
    assert second.startswith(np.ones(20, dtype="<i2").tobytes())
    assert third == bytes(CHUNK_BYTES)


def test_a_waterfall_counts_from_the_end_of_speech_in_the_order_of_time():
    table = waterfall({"end of speech": 10.0, "first audio": 10.7, "turn over": 10.5, "words heard": 10.52})
    names, _, begins, lengths = [list(column.cells) for column in table.columns]
    assert names == ["turn over", "words heard", "first audio"]
    assert begins == ["0 ms", "500 ms", "520 ms"]
    assert lengths == ["500 ms", "20 ms", "180 ms"]
    assert waterfall({}).row_count == 0
