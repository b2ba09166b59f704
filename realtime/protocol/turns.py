"""Who has the floor: the transition table of a voice session, and the theory it rests on.

Theory of operation. Two things are true or false at any moment: the user is being heard, and the conversation has a
response (at most one). A response first may have to *wait* for the words of the user (their transcript), then the
*reply* is made. That gives six states; everything else a session knows (items, audio, transcripts, timers) hangs on
them but never decides who speaks.

- The detector (or a commit by hand) moves the user in and out. Speech that starts while a response is there either
  interrupts it (the response ends in the very same step, nothing of it follows) or is merely heard.
- The end of the user's speech never starts a response by itself: it commits the turn, then the settings decide.
- A response begins waiting or replying and ends exactly once, whatever ends it.
- Out-of-band responses have no floor: they run beside all this and never touch the table.

The table is the law: a pair that is not in it cannot happen, and raises. Printing the diagram for the README:
`python -m realtime.protocol.turns`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .broken import BrokenInvariantError


class TurnState(StrEnum):
    """Who has the floor."""

    IDLE = "idle"
    WAITING = "waiting"
    REPLYING = "replying"
    HEARING = "hearing"
    HEARING_WAITING = "hearing_waiting"
    HEARING_REPLYING = "hearing_replying"

    @property
    def hears(self) -> bool:
        """The user is speaking."""
        return self.value.startswith("hearing")

    @property
    def responds(self) -> bool:
        """The conversation has a response."""
        return self.value.endswith(("waiting", "replying"))


class Signal(StrEnum):
    """What moves the floor."""

    SPEECH_STARTS = "speech starts"
    SPEECH_INTERRUPTS = "speech interrupts"
    SPEECH_ENDS = "speech ends"
    RESPONSE_WAITS = "response waits"
    RESPONSE_STARTS = "response starts"
    WORDS_ARRIVE = "words arrive"
    RESPONSE_ENDS = "response ends"


class Act(StrEnum):
    """What has to be done on the way."""

    CANCEL_RESPONSE = "cancel response"
    START_REPLY = "start reply"
    ARM_IDLE = "arm idle timer"
    DISARM_IDLE = "disarm idle timer"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a signal leads, and what is done on the way, in order."""

    to: TurnState
    acts: tuple[Act, ...] = ()


_S, _G, _A = TurnState, Signal, Act

TABLE: Mapping[tuple[TurnState, Signal], Transition] = {
    (_S.IDLE, _G.SPEECH_STARTS): Transition(_S.HEARING, (_A.DISARM_IDLE,)),
    (_S.IDLE, _G.RESPONSE_WAITS): Transition(_S.WAITING, (_A.DISARM_IDLE,)),
    (_S.IDLE, _G.RESPONSE_STARTS): Transition(_S.REPLYING, (_A.DISARM_IDLE, _A.START_REPLY)),
    (_S.WAITING, _G.SPEECH_STARTS): Transition(_S.HEARING_WAITING),
    (_S.WAITING, _G.SPEECH_INTERRUPTS): Transition(_S.HEARING, (_A.CANCEL_RESPONSE,)),
    (_S.WAITING, _G.WORDS_ARRIVE): Transition(_S.REPLYING, (_A.START_REPLY,)),
    (_S.WAITING, _G.RESPONSE_ENDS): Transition(_S.IDLE, (_A.ARM_IDLE,)),
    (_S.REPLYING, _G.SPEECH_STARTS): Transition(_S.HEARING_REPLYING),
    (_S.REPLYING, _G.SPEECH_INTERRUPTS): Transition(_S.HEARING, (_A.CANCEL_RESPONSE,)),
    (_S.REPLYING, _G.RESPONSE_ENDS): Transition(_S.IDLE, (_A.ARM_IDLE,)),
    (_S.HEARING, _G.SPEECH_ENDS): Transition(_S.IDLE),
    (_S.HEARING, _G.RESPONSE_WAITS): Transition(_S.HEARING_WAITING),
    (_S.HEARING, _G.RESPONSE_STARTS): Transition(_S.HEARING_REPLYING, (_A.START_REPLY,)),
    (_S.HEARING_WAITING, _G.SPEECH_ENDS): Transition(_S.WAITING),
    (_S.HEARING_WAITING, _G.WORDS_ARRIVE): Transition(_S.HEARING_REPLYING, (_A.START_REPLY,)),
    (_S.HEARING_WAITING, _G.RESPONSE_ENDS): Transition(_S.HEARING),
    (_S.HEARING_REPLYING, _G.SPEECH_ENDS): Transition(_S.REPLYING),
    (_S.HEARING_REPLYING, _G.RESPONSE_ENDS): Transition(_S.HEARING),
}


def step(state: TurnState, signal: Signal) -> Transition:
    """The transition for a signal. Raises BrokenInvariantError for a pair that cannot happen."""
    transition = TABLE.get((state, signal))
    if transition is None:
        raise BrokenInvariantError(f"{signal.value!r} cannot happen while {state.value!r}; see the table of turns")
    return transition


def mermaid() -> str:
    """The table as a Mermaid state diagram, one line for each row."""
    lines = ["stateDiagram-v2", f"    [*] --> {TurnState.IDLE.value}"]
    for (state, signal), transition in TABLE.items():
        acts = f" / {', '.join(transition.acts)}" if transition.acts else ""
        lines.append(f"    {state.value} --> {transition.to.value}: {signal.value}{acts}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(mermaid())
