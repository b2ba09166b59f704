"""Voice sessions told to Prometheus: sessions open, latency of each stage, interruptions."""

from collections.abc import Mapping

from policies import Decision
from router.metrics import Metrics

from .outcomes import OUTCOMES

SPECULATIONS = ("begun", "adopted", "dropped")


class VoiceMetrics:
    """A `TurnObserver` over the metrics of the house."""

    def __init__(self, metrics: Metrics) -> None:
        """Counters with a closed set of labels begin at 0, so that a rate has something to rise from."""
        self._metrics = metrics
        for outcome in SPECULATIONS:
            metrics.series.child("rr_voice_speculations_total", outcome)
        for outcome in OUTCOMES:
            metrics.series.child("rr_voice_turns_total", outcome)

    def on_stage(self, stage: str, seconds: float) -> None:
        """One stage of a turn."""
        self._metrics.voice_stage(stage, seconds)

    def on_turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """The whole of a turn; its stages were told one by one."""

    def on_first_audio(self, seconds: float, decision: Decision | None) -> None:
        """A reply begins to sound."""
        self._metrics.first_audio(seconds, decision)

    def on_reply(self, outcome: str) -> None:
        """A reply is over."""
        self._metrics.series.child("rr_voice_turns_total", outcome).inc()

    def on_interruption(self, seconds: float) -> None:
        """A reply was cut off by the user's voice."""
        self._metrics.voice_stage("barge_in", seconds)
        self._metrics.series.child("rr_voice_interruptions_total", "barge_in").inc()

    def on_speculation(self, outcome: str) -> None:
        """A guess was begun, adopted or dropped."""
        self._metrics.series.child("rr_voice_speculations_total", outcome).inc()

    def on_sessions(self, change: int) -> None:
        """A session began or ended."""
        self._metrics.series.child("rr_ws_sessions").inc(change)
