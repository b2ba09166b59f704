"""Whether a turn is complete: the table of the text method, and the sound model's features and session.

The real sound model is compared with pipecat's own reading of it in tests/compat/test_smart_turn.py.
"""

import hashlib

import numpy as np
import pytest

from realtime.stages import smart_turn, weights
from realtime.stages.semantic import sounds_complete
from realtime.stages.smart_turn import SmartTurn, features


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


class Runtime:
    """Stands for the inference runtime: remembers what it was given."""

    class SessionOptions:
        def add_session_config_entry(self, key, value):
            self.spinning = (key, value)

    class InferenceSession:
        def __init__(self, model, options, providers):
            self.model, self.options = model, options

        def run(self, outputs, inputs):
            return [np.array([[inputs["input_features"].std()]])]


async def test_the_sound_model_runs_on_one_thread_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    monkeypatch.setattr(
        smart_turn, "SMART_TURN", weights.Weights("x", "x", "x", hashlib.sha256(b"weights").hexdigest(), RuntimeError)
    )
    monkeypatch.setattr(smart_turn.importlib, "import_module", lambda name: Runtime)
    model = SmartTurn(path)
    noise = np.random.default_rng(2).integers(-9000, 9000, 40_000).astype(np.int16)
    assert await model.probability(noise) == pytest.approx(features(noise).std())
    assert model._session.options.intra_op_num_threads == model._session.options.inter_op_num_threads == 1
