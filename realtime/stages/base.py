"""The ports of the voice stages: what hears, what speaks, and the values they exchange.

Everything inside a session is 16 kHz s16le mono on the way in; a speaker answers at its own rate and says which.
A failing provider raises `router.upstreams.base.UpstreamFault` with an `Outcome`; nothing else leaves these ports.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime.protocol import TranscriptionUsage

HEARING_RATE = 16_000  # samples a second of everything a Transcriber or the detection of voice is fed


@dataclass(frozen=True, slots=True)
class WordTime:
    """A word and where it stands: milliseconds from the start of its audio, characters [first, last) of its text."""

    text: str
    start_ms: float
    end_ms: float
    first: int
    last: int

    def moved(self, by_ms: float, by_chars: int) -> "WordTime":
        """The same word where its audio and text are part of something longer."""
        return WordTime(
            self.text, self.start_ms + by_ms, self.end_ms + by_ms, self.first + by_chars, self.last + by_chars
        )


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """What is known about a voice. The labels are set only when an STT provider reports them, never guessed here."""

    rate_wpm: float | None = None  # words a minute
    pitch_hz: float | None = None  # median fundamental frequency of the voiced parts
    pitch_range_hz: float | None = None  # spread (10th to 90th percentile) of the same
    energy_db: float | None = None  # loudness of the speech, dB below full scale
    duration_s: float | None = None
    emotion: str | None = None
    age: str | None = None
    accent: str | None = None
    gender: str | None = None
    vocal_style: str | None = None

    def facts(self) -> dict[str, float | str]:
        """The `voice.*` keys of a condition; unknown ones are absent."""
        names = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in names.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. `words` is empty and `confidence` None when the provider does not tell."""

    text: str
    words: tuple[WordTime, ...] = ()
    confidence: float | None = None  # 0..1
    language: str | None = None
    profile: VoiceProfile | None = None  # as reported by the provider
    audio_s: float = 0.0  # what a provider would bill
    usage: TranscriptionUsage | None = None  # where the provider counts tokens
    logprobs: tuple[Mapping[str, Any], ...] | None = None  # token, logprob, bytes; only when asked for


@dataclass(frozen=True, slots=True)
class Utterance:
    """How one utterance wants to be heard. `on_partial` gets the text so far, on the event loop, cumulative."""

    language: str | None = None
    prompt: str | None = None
    keyterms: tuple[str, ...] = ()
    on_partial: Callable[[str], None] | None = None
    logprobs: bool = False  # ask how sure the provider is of each token
    extras: Mapping[str, Any] = field(default_factory=dict)  # for servers that declare them
    credential: str | None = field(default=None, repr=False)  # a caller's own key


class Hearing(Protocol):
    """One utterance being heard."""

    def feed(self, pcm: bytes) -> None:
        """Take more audio: 16 kHz s16le mono, any whole number of samples. Never blocks.

        Raises UpstreamFault when the provider died or its backlog is full.
        """
        ...

    async def peek(self) -> Transcript | None:
        """The final text if the utterance ended here, without ending it; None when this provider cannot tell.

        For speculation inside the silence window: when no speech follows, use it as final and `close()`.
        """
        ...

    async def finish(self) -> Transcript:
        """End the utterance. Raises UpstreamFault."""
        ...

    def close(self) -> None:
        """Drop the utterance. Never blocks, may be repeated, safe at any time and after `finish`."""
        ...


class Transcriber(Protocol):
    """A speech-to-text target."""

    async def open(self, utterance: Utterance) -> Hearing:
        """Begin an utterance. Raises UpstreamFault."""
        ...

    async def aclose(self) -> None:
        """Release processes and connections."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One segment of text to be spoken. `text` may hold steering tags that the provider understands."""

    text: str
    voice: str | None = None
    speed: float = 1.0
    language: str | None = None
    instructions: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)  # for servers that declare them
    credential: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """A piece of speech: s16le mono. Word times count from the start of the line, characters from its first one.

    `words` are those that begin in this piece; `estimated` tells that their times were not measured by the engine.
    """

    pcm: bytes
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    estimated: bool = False

    @property
    def duration_ms(self) -> float:
        """Length of the piece."""
        return len(self.pcm) / 2 / self.sample_rate * 1000


class Speaker(Protocol):
    """A text-to-speech target."""

    @property
    def steers(self) -> bool:
        """Whether it follows steering tags in a line; one that does not would read them aloud."""
        ...

    def speak(self, line: Line) -> AsyncIterator[SpokenAudio]:
        """The audio of the line, in order. Closing the iterator stops the provider. Raises UpstreamFault."""
        ...

    async def aclose(self) -> None:
        """Release processes, threads and connections."""
        ...


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began. `at_ms` includes the prefix padding (never below 0); `onset_ms` is the first speech frame."""

    at_ms: int
    onset_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The turn is over. `at_ms` includes the silence; `speech_end_ms` is where the last speech frame ended."""

    at_ms: int
    speech_end_ms: int
    cause: str = "silence"  # silence | complete | max_wait


@dataclass(frozen=True, slots=True)
class TurnSuggested:
    """A pause long enough to guess that the turn may be over: speculate now, hold the output until SpeechStopped."""

    at_ms: int
    silence_ms: int


@dataclass(frozen=True, slots=True)
class TurnRevoked:
    """Speech went on after a suggestion: drop what was speculated."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class VerdictWanted:
    """`semantic_vad` has heard its base silence: ask whether the turn is complete and call `judge(complete)`."""

    at_ms: int


TurnEvent = SpeechStarted | SpeechStopped | TurnSuggested | TurnRevoked | VerdictWanted
