"""A voice that follows tags gets them where they rule; what it says of words leads back to the text without them."""

import pytest

from realtime.stages.base import SpokenAudio, WordTime
from realtime.stages.speakable import speakable
from realtime.stages.steered import Steered, last_direction


@pytest.mark.parametrize(
    ("source", "direction", "line"),
    [
        ("[say warmly] Welcome back.", "", "[say warmly] Welcome back."),
        ("Nice to see you.", "[say warmly]", "[say warmly] Nice to see you."),
        ("Nice to see you.", "", "Nice to see you."),
        ("[whisper] Be quiet.", "[say warmly]", "[whisper] Be quiet."),
        ("[laugh] Be quiet.", "[say warmly]", "[say warmly] [laugh] Be quiet."),
        ("Wait <break/> now.", "", "Wait <break/> now."),
    ],
)
def test_the_line_of_a_segment(source, direction, line):
    steered = Steered(source, direction)
    assert steered.rest(speakable(source).text) == steered.line == line


def test_the_direction_in_force_is_the_last_one_and_sounds_are_none():
    assert last_direction("[say warmly] Hi. [sigh] Well.") == "[say warmly]"
    assert last_direction("[say warmly] Hi. [sadly] Well.") == "[sadly]"
    assert last_direction("[laugh] <break/> Hi [1].") == ""


def test_a_voice_that_takes_over_in_the_middle_gets_the_direction_in_force_there():
    steered = Steered("[say warmly] One two. [sadly] Three four. [laugh] Five.")
    plain = speakable("One two. Three four. Five.").text
    assert plain == "One two. Three four. Five."
    assert steered.rest("two. Three four. Five.") == "[say warmly] two. [sadly] Three four. [laugh] Five."
    assert steered.rest("four. Five.") == "[sadly] four. [laugh] Five."
    assert steered.rest("Five.") == "[sadly] Five."


@pytest.mark.parametrize("rest", ["One two three.", "two three.", "three."])
def test_words_stand_where_they_stand_in_the_text_without_tags(rest):
    steered = Steered("[say warmly] One [laugh] **two** three.")
    line = steered.rest(rest)
    words, at = [], 0
    for run in line.split():
        first = line.index(run, at)
        at = first + len(run)
        words.append(WordTime(run, first * 10.0, at * 10.0, first, at))
    led = steered.led_back(SpokenAudio(b"", 24_000, tuple(words))).words
    assert [rest[word.first : word.last] for word in led] == rest.split()
