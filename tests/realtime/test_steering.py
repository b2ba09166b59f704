"""What is meant for the voice is never read by the user, however it was cut into tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.stages.speakable import without_tags
from realtime.steering import TagFilter


def shown(tokens):
    tags = TagFilter()
    return "".join([tags.feed(token) for token in tokens] + [tags.flush()])


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["Hello", " there."], "Hello there."),
        (["[wa", "rmly]", " Hello."], "Hello."),
        (["Wait ", "<bre", 'ak time="1s"', "/> now."], "Wait now."),
        (["a < b and [1] is a list"], "a < b and [1] is a list"),
        (["see [the page](", "https://example.org)"], "see [the page](https://example.org)"),
        (["open ["], "open ["),
    ],
)
def test_tags_are_kept_out_and_everything_else_stays(tokens, expected):
    assert shown(tokens) == expected


@given(st.lists(st.integers(1, 6), max_size=30))
def test_the_cut_into_tokens_does_not_matter(sizes):
    text = "So [say softly] this is <break/> fine [1], and [x](y) too. [laugh] Done."
    tokens, at = [], 0
    for size in sizes:
        tokens.append(text[at : at + size])
        at += size
    tokens.append(text[at:])
    assert "softly" not in shown(tokens)
    assert shown(tokens).split() == without_tags(text).split()


def test_text_without_brackets_is_never_held_back():
    tags = TagFilter()
    assert [tags.feed(token) for token in ("one ", "two ", "three")] == ["one ", "two ", "three"]
