"""What voice lacks is said before anybody connects."""

import subprocess
import sys
from pathlib import Path

import pytest

from realtime import parts
from realtime.parts import voice_findings
from router.config import load

ROOT = Path(__file__).parent.parent.parent


def config(tmp_path, text):
    path = tmp_path / "server.yaml"
    path.write_text(f"version: 1\nrecords: {{url: null}}\n{text}")
    return load(path, {})


def test_nothing_is_missing_here():
    assert voice_findings(load(None, {})) == []


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ("realtime: {vad_weights: none.onnx}", "realtime.vad_weights"),
        ("realtime: {turn_model: none.onnx}", "realtime.turn_model"),
        ("realtime: {transcription: {grammar: none.jsgf}}", "realtime.transcription.grammar"),
    ],
)
def test_a_file_that_is_not_there_is_an_error_with_a_remedy(tmp_path, section, setting):
    [finding] = voice_findings(config(tmp_path, section))
    assert (finding.severity, finding.path) == ("error", setting)
    assert finding.remedy


def test_without_the_extra_a_server_that_asks_for_voice_is_refused_and_one_that_chats_is_warned(tmp_path, monkeypatch):
    monkeypatch.setattr(parts.importlib.util, "find_spec", lambda name: None)
    [refused] = voice_findings(config(tmp_path, "realtime: {model: router/demo}"))
    [warned] = voice_findings(config(tmp_path, ""))
    assert (refused.severity, warned.severity) == ("error", "warning")
    assert "realtime-router[voice]" in refused.remedy


def test_a_missing_recogniser_is_a_warning_since_another_may_hear(tmp_path, monkeypatch):
    find = parts.importlib.util.find_spec
    monkeypatch.setattr(parts.importlib.util, "find_spec", lambda name: None if name == "pocketsphinx" else find(name))
    [finding] = voice_findings(config(tmp_path, "realtime: {speech: {lead_s: 1}}"))
    assert (finding.severity, finding.path) == ("warning", "realtime.transcription.model")


@pytest.mark.parametrize("command", [["check"], ["serve", "--port", "0", "--config"]])
def test_check_and_serve_end_with_the_setting_and_the_remedy(tmp_path, command):
    config(tmp_path, "realtime: {vad_weights: none.onnx}")
    command = [sys.executable, "-m", "realtime", *command, str(tmp_path / "server.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "realtime.vad_weights: cannot read silero_vad.onnx v6.2 from 'none.onnx'" in said
    assert "help: pip install 'realtime-router[voice]'" in said


def test_looking_imports_nothing_heavy():
    code = (
        "import sys; from realtime.parts import voice_findings; from router.config import load\n"
        "assert voice_findings(load(None, {})) == []\n"
        "early = {'numpy', 'onnxruntime', 'pocketsphinx'} & set(sys.modules)\n"
        "assert not early, early"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


async def test_a_voice_client_of_a_server_without_voice_is_refused_with_a_reason(monkeypatch, caplog):
    from realtime import voice
    from realtime.stages.weights import VadUnavailable

    def missing(_settings):
        raise VadUnavailable("no weights")

    monkeypatch.setattr(voice, "_floor_builder", missing)
    door = voice.VoiceDoor(None, lambda: load(None, {}).realtime, lambda: None)
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await door({}, receive, send)
    assert sent[0]["status"] == 503
    assert b"voice_unavailable" in sent[1]["body"]
    assert [record.fields["why"] for record in caplog.records] == ["no weights"]
