"""Smart Turn v3.2: whether a turn sounds complete. Optional: needs its model file and the package `onnxruntime`.

The model (BSD-2) listens to the last 8 s of the user's audio as log-mel features: zero-padded on the left, normalised,
centred STFT 400/160 with a periodic Hann window, 80 Slaney mels up to 8 kHz, log10, the top 8 decades, scaled. One
inference takes about 30 ms; it runs on a thread of its own, since batching and more threads do not make it faster.
"""

import asyncio
import hashlib
import importlib
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import HEARING_RATE

SHA256 = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
SECONDS = 8
SAMPLES = SECONDS * HEARING_RATE
WINDOW, HOP, MELS = 400, 160, 80
COMPLETE = 0.5

Floats = npt.NDArray[np.float32]


class SmartTurnUnavailable(RuntimeError):  # noqa: N818  it says what is missing
    """The model or its runtime is missing, or the file is another model."""


@cache
def _mel_filters() -> Floats:
    """[201, 80] triangles, equally wide on Slaney's mel scale (linear to 1 kHz, then logarithmic), of equal area."""

    def to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        upper = 1000.0 * np.exp(np.log(6.4) / 27 * (mel - 15))
        return np.where(mel < 15, mel * 200 / 3, upper)

    top = 15 + np.log(HEARING_RATE / 2 / 1000) * 27 / np.log(6.4)
    edges = to_hz(np.linspace(0.0, top, MELS + 2))
    bins = np.linspace(0.0, HEARING_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))
    filters: Floats = triangles.astype(np.float32)
    return filters


def features(samples: npt.NDArray[np.int16]) -> Floats:
    """[1, 80, 800] of the last 8 s."""
    line = np.zeros(SAMPLES, dtype=np.float32)
    last = samples[-SAMPLES:]
    if len(last):
        line[-len(last) :] = last.astype(np.float32) * np.float32(1 / 32768)
    line = (line - line.mean()) / np.sqrt(line.var() + np.float32(1e-7))
    padded = np.pad(line, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    spectrum = np.fft.rfft(frames * window, axis=1)[:-1]  # the last frame is dropped
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logs = np.log10(np.maximum(power @ _mel_filters(), 1e-10))
    logs = (np.maximum(logs, logs.max() - 8) + 4) / 4
    made: Floats = np.ascontiguousarray(logs.T[None], dtype=np.float32)
    return made


class SmartTurn:
    """A `TurnModel`."""

    def __init__(self, path: Path) -> None:
        """Load the model (about 100 ms). Raises SmartTurnUnavailable."""
        if importlib.util.find_spec("onnxruntime") is None:
            raise SmartTurnUnavailable("Smart Turn needs the package 'onnxruntime'")
        try:
            model = path.read_bytes()
        except OSError as error:
            raise SmartTurnUnavailable(f"cannot read the Smart Turn model {str(path)!r}: {error.strerror}") from error
        if hashlib.sha256(model).hexdigest() != SHA256:
            raise SmartTurnUnavailable(f"{str(path)!r} is not smart-turn-v3.2-cpu.onnx: its SHA-256 differs")
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="smart-turn")

    def probability(self, samples: npt.NDArray[np.int16]) -> float:
        """That the turn is complete, from its audio at 16 kHz. Blocks."""
        (logits,) = self._session.run(None, {"input_features": features(samples)})
        return float(logits.reshape(-1)[0])

    async def complete(self, samples: npt.NDArray[np.int16]) -> bool:
        """See `TurnModel`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.probability, samples) > COMPLETE
