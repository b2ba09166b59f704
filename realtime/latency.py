"""Where the time of a turn goes: one monotonic clock, a closed set of stages, one log line a turn.

Stages count from the one before them, the first from the last speech sample; `first_audio` is the whole turn. With
speculation they overlap: what was over before its turn counts zero.
"""

import logging
from collections.abc import Callable
from typing import Any

from policies import Decision

from .outcomes import outcome_of
from .protocol import AudioChunk, ResponseView, TextDelta
from .studio import Studio

log = logging.getLogger("realtime.turn")
STAGES = {  # stamp -> name of the stage that ends with it
    "endpointing": "speech_end",
    "transcript": "stt_final",
    "first_token": "llm_first_token",
    "first_speech": "tts_first_byte",
}


class TurnStamps:
    """Stamps of the current turn of one session, in seconds."""

    def __init__(self, studio: Studio, session_id: str = "") -> None:
        self._studio = studio
        self._session_id = session_id
        self._at: dict[str, float] = {}
        self._response_id = ""
        self._onset_s: float | None = None
        self._begun: set[str] = set()  # replies that were started and are not over
        self._decision: Decision | None = None  # that routed the reply to this turn
        self._heard = True  # words in the last turn, as far as one knows

    def announced(self, view: ResponseView) -> None:
        """A response begins: the first of the conversation after the user spoke answers this turn."""
        if view.conversation_id is not None and not self._response_id:
            self._response_id = view.id

    def begun(self, response_id: str) -> None:
        """A reply is made."""
        self._begun.add(response_id)

    def over(self, view: ResponseView) -> None:
        """A reply has ended. One beside the conversation is none of a turn."""
        begun = view.id in self._begun
        self._begun.discard(view.id)
        if view.conversation_id is None:
            return
        outcome = outcome_of(view, begun=begun, heard=self._heard)
        for observer in self._studio.observers:
            observer.on_reply(outcome)

    def routed(self, response_id: str, decision: Decision) -> None:
        """The words of a reply have been routed."""
        if response_id == self._response_id:
            self._decision = decision

    def speech_started(self, ago_s: float) -> None:
        """The user speaks since `ago_s` seconds: perhaps an interruption."""
        self._onset_s = self._studio.clock() - max(0.0, ago_s)

    def speech_stopped(self, ago_s: float) -> None:
        """The turn is over; its last speech was `ago_s` seconds ago."""
        now_s = self._studio.clock()
        self._at = {"speech_end": now_s - max(0.0, ago_s), "endpointing": now_s}
        self._response_id, self._decision, self._heard = "", None, True

    def transcribed(self, text: str) -> None:
        """The words are known."""
        self._heard = bool(text.strip())
        self._at.setdefault("transcript", self._studio.clock())

    def told(self, response_id: str, event: Any) -> None:
        """A reply reports something."""
        if response_id != self._response_id:
            return
        if isinstance(event, TextDelta):
            self._at.setdefault("first_token", self._studio.clock())
        elif isinstance(event, AudioChunk):
            self._at.setdefault("first_speech", self._studio.clock())

    def unwritten(self, response_id: str) -> Callable[[], None] | None:
        """What to call when the first audio of a response was handed to the socket; None: it was already."""
        if response_id != self._response_id or "written" in self._at:
            return None
        return self._written

    def _written(self) -> None:
        if "written" not in self._at:
            self._at["written"] = self._studio.clock()
            self._publish()

    def cancelled(self, response_id: str) -> None:
        """A response was cancelled; by the voice that speaks, if one does."""
        if self._onset_s is not None and response_id == self._response_id:
            seconds = self._studio.clock() - self._onset_s
            if seconds < 5:
                for observer in self._studio.observers:
                    observer.on_interruption(seconds)
        self._onset_s = None

    def _publish(self) -> None:
        spoken_s = self._at.get("speech_end")
        if spoken_s is None:  # a written turn has no speech to count from
            return
        spans: dict[str, tuple[float, float]] = {}
        before_s, now_s = spoken_s, self._studio.clock()
        for stamp, stage in STAGES.items():
            at_s = self._at.get(stamp)
            if at_s is not None:
                spans[stage] = now_s - min(before_s, at_s), now_s - at_s
                before_s = at_s
        spans["first_audio"] = now_s - spoken_s, now_s - self._at["written"]
        durations = {stage: begin - end for stage, (begin, end) in spans.items()}
        for observer in self._studio.observers:
            observer.on_turn(spans)
            observer.on_first_audio(spans["first_audio"][0] - spans["first_audio"][1], self._decision)
        for stage, seconds in durations.items():
            for observer in self._studio.observers:
                observer.on_stage(stage, seconds)
        fields: dict[str, Any] = {"session_id": self._session_id, "response_id": self._response_id}
        fields |= {f"{stage}_ms": round(seconds * 1000) for stage, seconds in durations.items()}
        log.info("turn", extra={"fields": fields})
