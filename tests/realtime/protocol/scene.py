"""A session on a virtual clock: events in, the names of what came out, and a count for ids."""

from collections import Counter
from dataclasses import replace

from realtime.protocol import (
    AppendAudio,
    AudioChunk,
    Opened,
    ReplyFinished,
    SessionMachine,
    SessionRules,
    SessionSettings,
    SpeakingFinished,
    SpeechStarted,
    SpeechStopped,
    StartReply,
    TextDelta,
    TranscriptFinal,
)

SECOND_PCM = bytes(48_000)


class CountingIds:
    """sess_1, item_1, item_2, …"""

    def __init__(self):
        self._counts = Counter()

    def __call__(self, kind):
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"


class Scene:
    """A machine, its clock and everything it ever said."""

    def __init__(self, *, opened=True, rules=None, **settings):
        self.machine = SessionMachine(SessionSettings(**settings), ids=CountingIds(), rules=rules or SessionRules())
        self.now_ms = 1_000.0
        self.audio_ms = 0.0
        self.history = []
        if opened:
            self.give(Opened(epoch_s=1_700_000_000))

    def wait(self, ms):
        self.now_ms += ms

    def give(self, event):
        out = self.machine.receive(replace(event, at_ms=self.now_ms))
        self.history.extend(out)
        return out

    def names(self, event):
        return [type(output).__name__ for output in self.give(event)]

    def hear(self, ms):
        """Audio comes in, at real time."""
        self.give(AppendAudio(audio=bytes(int(ms * 48))))
        self.audio_ms += ms
        self.wait(ms)

    def speech(self, ms=1000, words="hello there"):
        """A whole turn of the user: what the commit and the transcript brought."""
        self.hear(300)
        started = self.give(SpeechStarted(audio_ms=self.audio_ms - 300))
        self.hear(ms)
        stopped = self.give(SpeechStopped(audio_ms=self.audio_ms))
        item_id = one(started, "SpeechBegan").item_id
        return [*started, *stopped, *self.give(TranscriptFinal(item_id=item_id, text=words))]

    def reply(self, response_id, text="Good day.", seconds=1):
        """A whole spoken reply."""
        out = [*self.give(TextDelta(response_id=response_id, text=text))]
        for _ in range(seconds):
            out += self.give(AudioChunk(response_id=response_id, audio=SECOND_PCM))
        out += self.give(ReplyFinished(response_id=response_id))
        return [*out, *self.give(SpeakingFinished(response_id=response_id))]

    def all(self, name):
        return [output for output in self.history if type(output).__name__ == name]

    @property
    def started(self):
        """The newest reply that was asked for."""
        return [output for output in self.history if isinstance(output, StartReply)][-1]


def one(outputs, name):
    """The only output of this name."""
    found = [output for output in outputs if type(output).__name__ == name]
    assert len(found) == 1, f"{len(found)} of {name} in {[type(output).__name__ for output in outputs]}"
    return found[0]


def wire(outputs):
    """Names of server events only."""
    from realtime.protocol import Effect

    return [type(output).__name__ for output in outputs if not isinstance(output, Effect)]
