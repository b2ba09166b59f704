"""The record of one call to one target."""

from .frozen import frozen
from .outcome import RULES, Outcome, Rule, classify
from .target import Target


@frozen
class ErrorDetail:
    """What the upstream (or the transport) said, redacted and capped: safe to show to the client."""

    message: str
    type: str = "upstream_error"
    code: str | None = None
    param: str | None = None


@frozen
class Attempt:
    """One call to one target and how it ended. Times are seconds on one monotonic clock."""

    target: Target
    outcome: Outcome
    started_s: float
    ended_s: float
    first_token_s: float | None = None  # when the first meaningful delta (or the first byte of a JSON answer) came
    status_code: int | None = None
    error: ErrorDetail | None = None
    retry_after_s: float | None = None  # what the upstream asked for, parsed and capped at 120
    committed: bool = False  # the client has been handed a meaningful delta of this attempt
    credential_type: str = "system"  # system | byok
    prefilled: bool = False  # it was asked to go on from the text of an attempt before
    stage: str | None = None  # None for chat; stt, llm or tts in a voice session

    @property
    def success(self) -> bool:
        """Whether the attempt answered."""
        return self.outcome is Outcome.SUCCESS

    @property
    def rule(self) -> Rule:
        """What follows from it. An error inside a 200 follows the status that the error itself names."""
        if self.outcome is Outcome.IN_BAND_ERROR and self.status_code is not None and self.status_code >= 400:
            error = self.error or ErrorDetail("")
            return RULES[classify(self.status_code, code=error.code, kind=error.type, message=error.message)]
        return RULES[self.outcome]
