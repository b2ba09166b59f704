"""The input audio as numbers: how much came, and from where on it is not committed. The bytes are the shell's."""

from .settings import AudioFormat


class AudioBuffer:
    """Positions in all audio ever appended in the session, in milliseconds of audio, whatever its formats were."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._before_ms = 0.0  # appended in earlier formats
        self._size_bytes = 0  # appended in this format
        self.start_ms = 0.0  # where the uncommitted audio begins

    @property
    def position_ms(self) -> float:
        """The end of the audio."""
        return self._before_ms + self._format.duration_ms(self._size_bytes)

    @property
    def pending_ms(self) -> float:
        """How much is not committed."""
        return self.position_ms - self.start_ms

    def append(self, size_bytes: int) -> None:
        """Count audio in the present format."""
        self._size_bytes += size_bytes

    def take(self, until_ms: float) -> float:
        """Everything up to `until_ms` is committed or forgotten; returns the position up to which it really is."""
        self.start_ms = max(self.start_ms, min(until_ms, self.position_ms))
        return self.start_ms

    def reformat(self, audio_format: AudioFormat) -> None:
        """Audio comes in another format from now on."""
        if audio_format != self._format:
            self._before_ms, self._size_bytes = self.position_ms, 0
            self._format = audio_format
