"""Whether a turn is complete: the table of the text method, and the sound model's features and refusals."""

import hashlib

import numpy as np
import pytest

from realtime.stages import smart_turn
from realtime.stages.base import Transcript
from realtime.stages.semantic import sounds_complete
from realtime.stages.smart_turn import SmartTurn, SmartTurnUnavailable, features
from realtime.studio import Studio
from router.config import Realtime


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("What time is it?", True),
        ("what is the weather like in paris", True),
        ("I would like to book a table for", False),
        ("turn on the light and", False),
        ("well, um", False),
        ("First,", False),
        ("let me think...", False),
        ("yes I do", True),
        ("what do you think he did", False),
        ("He said “stop.”", True),
        ("ich möchte einen Tisch für", False),
        ("quiero una mesa para", False),
        ("今日は。", True),
        ("", False),
        ("  ", False),
        (None, True),
    ],
)
def test_the_table(text, complete):
    assert sounds_complete(text) is complete


def test_features_have_the_models_shape_and_range():
    rng = np.random.default_rng(5)
    for samples in (np.zeros(0, dtype=np.int16), rng.integers(-9000, 9000, 40_000).astype(np.int16)):
        made = features(samples)
        assert made.shape == (1, 80, 800)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert made.max() - made.min() <= 2 + 1e-6


def test_a_tone_lights_the_mel_band_of_its_frequency_at_the_end_of_the_window():
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.int16)
    made = features(tone)[0]
    centre = int(made[:, 760].argmax())
    assert 24 <= centre <= 28  # 1 kHz is mel 15 of 45.2 on 82 edges
    assert made[centre, 760] > made[centre, 600] + 1


def test_a_missing_runtime_or_model_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(smart_turn.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SmartTurnUnavailable, match="onnxruntime"):
        SmartTurn(tmp_path / "model.onnx")
    monkeypatch.setattr(smart_turn.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(SmartTurnUnavailable, match="cannot read"):
        SmartTurn(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"other")
    with pytest.raises(SmartTurnUnavailable, match="SHA-256"):
        SmartTurn(tmp_path / "model.onnx")


class ByEar:
    """A turn model that decides by the length of what it hears."""

    async def complete(self, samples):
        return len(samples) > 1000


async def test_a_turn_model_decides_by_sound_and_words_decide_without_one():
    studio = Studio(router=None, settings=Realtime(), batcher=None, speech=None)
    assert await studio.complete(Transcript("what time is it"), b"")
    assert not await studio.complete(Transcript("turn on the"), bytes(4000))
    assert await studio.complete(None, b"")
    studio.turn_model = ByEar()
    assert await studio.complete(Transcript("turn on the"), bytes(4000))
    assert not await studio.complete(Transcript("what time is it"), bytes(1000))


class Runtime:
    """Stands for the inference runtime: remembers what it was given."""

    class SessionOptions:
        def add_session_config_entry(self, key, value):
            self.spinning = (key, value)

    class InferenceSession:
        def __init__(self, model, options, providers):
            self.options = options

        def run(self, outputs, inputs):
            return [np.array([[0.5 + inputs["input_features"].std() / 10]])]


async def test_the_sound_model_runs_on_one_thread_and_above_a_half_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    monkeypatch.setattr(smart_turn, "SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(smart_turn.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(smart_turn.importlib, "import_module", lambda name: Runtime)
    model = SmartTurn(path)
    noise = np.random.default_rng(2).integers(-9000, 9000, 40_000).astype(np.int16)
    assert await model.complete(noise)
    assert model._session.options.intra_op_num_threads == 1
