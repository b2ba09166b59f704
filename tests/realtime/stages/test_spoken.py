"""Speaking and hearing over a walk: fail-over in mid-sentence loses and repeats no word."""

import re

import pytest

from policies import Outcome, Target, Timeouts, Try
from realtime.speech.scripted import WORD_MS, ScriptedSpeaker, ScriptedTranscriber
from realtime.stages.base import Line, Utterance
from realtime.stages.heard_utterance import RoutedHearing
from realtime.stages.spoken import SpokenReply
from router.upstreams.base import UpstreamFault

TEXT = "one two three four five six seven"


class Spent(Exception):  # noqa: N818  a refusal of the walk
    """No target is left."""


class Steps:
    """A walk over a fixed list of targets."""

    def __init__(self, *names):
        self.left = [Try(Target("scripted", name), Timeouts()) for name in names]
        self.log = []

    async def open(self, call):
        while self.left:
            step = self.left.pop(0)
            self.log.append(step.target.model)
            try:
                return await call(step)
            except UpstreamFault as fault:
                self.fail(fault)
        raise Spent

    def first_token(self):
        self.log.append("first")

    def fail(self, fault):
        self.log.append(fault.outcome)

    def settle(self, outcome):
        self.log.append(outcome)


def reply_over(*names):
    steps = Steps(*names)
    speakers = {}
    reply = SpokenReply(steps, lambda step: speakers.setdefault(step.target.model, ScriptedSpeaker(step.target.model)))
    return reply, steps, speakers


async def said(reply, text=TEXT):
    return [piece async for piece in reply.say(Line(text))]


def words_of(pieces):
    return [word for piece in pieces for word in piece.words]


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_voice_that_dies_in_mid_sentence_is_followed_at_the_first_unspoken_word(after):
    reply, steps, speakers = reply_over(f"dies-after-{after}-words", "speaks")
    words = words_of(await said(reply))
    assert [word.text for word in words] == TEXT.split()
    assert [TEXT[word.first : word.last] for word in words] == TEXT.split()
    assert [word.start_ms for word in words] == pytest.approx([n * WORD_MS for n in range(7)])
    assert speakers["speaks"].lines == [" " + TEXT.split(" ", after)[-1]]
    reply.finish()
    assert steps.log[-1] is Outcome.SUCCESS
    assert Outcome.RESET_AFTER_COMMIT in steps.log


async def test_voices_may_die_again_and_again_and_dead_ones_are_passed_over():
    reply, steps, _ = reply_over("dies-after-2-words", "dead", "dies-after-0-words", "dies-after-3-words", "speaks")
    assert [word.text for word in words_of(await said(reply))] == TEXT.split()
    assert len(reply.faults) == 2
    assert steps.log.count(Outcome.RESET_AFTER_COMMIT) == 3


async def test_the_next_line_stays_with_the_voice_that_took_over():
    reply, steps, speakers = reply_over("dies-after-2-words", "speaks", "speaks-untimed")
    await said(reply)
    assert words_of(await said(reply, "and on"))[0].text == "and"
    assert "speaks-untimed" not in speakers
    assert steps.log.count("speaks") == 1


async def test_a_voice_that_dies_with_the_last_word_spoken_needs_no_successor():
    reply, _, speakers = reply_over("dies-after-7-words", "speaks")
    assert [word.text for word in words_of(await said(reply, TEXT + " eight"))][-1] == "eight"
    assert speakers["speaks"].lines == [" eight"]


async def test_when_no_voice_is_left_the_walk_says_so():
    reply, _, _ = reply_over("dies-after-2-words", "dead")
    line = reply.say(Line(TEXT))
    heard = [(await anext(line)).words[0].text for _ in range(2)]
    with pytest.raises(Spent):
        await anext(line)
    assert heard == ["one", "two"]
    reply.finish()


class Untimed(ScriptedSpeaker):
    """Speaks without word times and dies."""

    async def speak(self, line):
        async for piece in super().speak(line):
            yield type(piece)(piece.pcm, piece.sample_rate)


async def test_without_word_times_the_place_is_a_word_boundary_after_what_the_pace_tells():
    steps = Steps("dies-after-4-words", "speaks")
    speakers = []

    def speaker_of(step):
        speakers.append((Untimed if "dies" in step.target.model else ScriptedSpeaker)(step.target.model))
        return speakers[-1]

    reply = SpokenReply(steps, speaker_of)
    reply._pace = len(TEXT) / (7 * WORD_MS)
    pieces = await said(reply)
    rest = speakers[1].lines[0]
    assert TEXT.endswith(rest)
    assert rest.split()[0] in ("four", "five")
    assert re.fullmatch(r"\s\S+.*", rest)
    assert words_of(pieces)[-1].last == len(TEXT)


async def test_nothing_to_say_asks_nobody():
    reply, steps, _ = reply_over("speaks")
    assert await said(reply, "  ") == []
    assert steps.log == []


async def test_an_interrupted_line_is_settled_as_cancelled():
    reply, steps, _ = reply_over("speaks")
    line = reply.say(Line(TEXT))
    await anext(line)
    await line.aclose()
    reply.finish(Outcome.CANCELLED_BY_CLIENT)
    assert steps.log == ["speaks", "first", Outcome.CANCELLED_BY_CLIENT]


def ears_over(*names):
    steps = Steps(*names)
    ears = {name: ScriptedTranscriber(name) for name in names}
    return RoutedHearing(steps, lambda step: ears[step.target.model], Utterance()), steps, ears


AUDIO = [bytes([n]) * 640 for n in range(20)]


@pytest.mark.parametrize("first", ["dead", "dies-at-end", "dies-while-fed"])
async def test_the_whole_utterance_is_replayed_to_the_next_ears(first):
    hearing, steps, ears = ears_over(first, "hears")
    await hearing.open()
    for chunk in AUDIO:
        hearing.feed(chunk)
    transcript = await hearing.finish()
    assert transcript.text == ears["hears"].text
    assert bytes(ears["hears"].opened[0].fed) == b"".join(AUDIO)
    assert steps.log[-2:] == ["first", Outcome.SUCCESS]
    assert all(opened.closed for opened in ears[first].opened)


async def test_audio_fed_before_the_ears_are_open_is_not_lost():
    hearing, _, ears = ears_over("hears")
    hearing.feed(AUDIO[0])
    await hearing.open()
    hearing.feed(AUDIO[1])
    assert (await hearing.finish()).audio_s == pytest.approx(0.04)
    assert bytes(ears["hears"].opened[0].fed) == AUDIO[0] + AUDIO[1]
    assert hearing.audio_ms == 40


async def test_a_peek_that_is_accepted_ends_the_utterance_well():
    hearing, steps, _ = ears_over("hears")
    assert await hearing.peek() is None
    await hearing.open()
    assert (await hearing.peek()).text
    hearing.accept()
    hearing.accept()
    hearing.close()
    assert steps.log == ["hears", Outcome.SUCCESS]


async def test_ears_that_died_cannot_be_peeked_and_a_dropped_utterance_is_cancelled():
    hearing, steps, _ = ears_over("dies-while-fed", "hears")
    await hearing.open()
    for chunk in AUDIO:
        hearing.feed(chunk)
    assert await hearing.peek() is None
    hearing.close()
    assert steps.log[-1] is Outcome.CANCELLED_BY_CLIENT


async def test_when_no_ears_are_left_the_walk_says_so():
    hearing, _, _ = ears_over("dies-at-end", "dead")
    await hearing.open()
    with pytest.raises(Spent):
        await hearing.finish()
