"""Smart Turn v3.2: whether a turn sounds complete. Optional: needs its model file and the package `onnxruntime`.

The model (BSD-2) listens to the last 8 s of the user's audio as log-mel features: zero-padded on the left, normalised,
centred STFT 400/160 with a periodic Hann window, 80 Slaney mels up to 8 kHz, log10, the top 8 decades, scaled. The
spectrum is made in double precision: the model is quantised, and a change of its input in the sixth digit can move its
answer by 0.08. One inference takes about 30 ms; it runs on a thread of its own, since batching and more threads do not
make it faster.
"""

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import HEARING_RATE
from .weights import SMART_TURN

SECONDS = 8
SAMPLES = SECONDS * HEARING_RATE
WINDOW, HOP, MELS = 400, 160, 80

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@cache
def _mel_filters() -> Doubles:
    """[201, 80] triangles, equally wide on Slaney's mel scale (linear to 1 kHz, then logarithmic), of equal area."""

    def to_hz(mel: Doubles) -> Doubles:
        upper = 1000.0 * np.exp(np.log(6.4) / 27 * (mel - 15))
        return np.where(mel < 15, mel * 200 / 3, upper)

    top = 15 + np.log(HEARING_RATE / 2 / 1000) * 27 / np.log(6.4)
    edges = to_hz(np.linspace(0.0, top, MELS + 2))
    bins = np.linspace(0.0, HEARING_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))
    made: Doubles = triangles
    return made


def features(samples: npt.NDArray[np.int16]) -> Floats:
    """[1, 80, 800] of the last 8 s."""
    line = np.zeros(SAMPLES, dtype=np.float32)
    last = samples[-SAMPLES:]
    if len(last):
        line[-len(last) :] = last.astype(np.float32) * np.float32(1 / 32768)
    line = (line - line.mean()) / np.sqrt(line.var() + np.float32(1e-7))
    padded = np.pad(line.astype(np.float64), WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft(frames * window, axis=1)[:-1]  # the last frame is dropped
    power = spectrum.real**2 + spectrum.imag**2
    logs = np.log10(np.maximum(power @ _mel_filters(), 1e-10))
    logs = (np.maximum(logs, logs.max() - 8) + 4) / 4
    made: Floats = np.ascontiguousarray(logs.T[None], dtype=np.float32)
    return made


class SmartTurn:
    """A `TurnModel`."""

    def __init__(self, path: Path) -> None:
        """Load the model (about 100 ms). Raises SmartTurnUnavailable."""
        model = SMART_TURN.read(path)
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="smart-turn")

    def score(self, samples: npt.NDArray[np.int16]) -> float:
        """That the turn is complete, 0 to 1, from its audio at 16 kHz. Blocks for about 30 ms."""
        (probabilities,) = self._session.run(None, {"input_features": features(samples)})
        return float(probabilities.reshape(-1)[0])

    async def probability(self, samples: npt.NDArray[np.int16]) -> float:
        """See `TurnModel`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.score, samples)
