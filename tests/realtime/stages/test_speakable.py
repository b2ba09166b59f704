"""What is read aloud: a table; and that every spoken character knows its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.stages.speakable import speakable, without_tags

TABLE = [
    ("plain words stay, all of them.", "plain words stay, all of them."),
    ("**Bold** and *italic* and __both__ and _this_", "Bold and italic and both and this"),
    ("snake_case and 3 * 4 stay", "snake_case and 3 * 4 stay"),
    ("# Heading\n> quoted\n- item\n* [x] done", "Heading quoted item done"),
    ('[the docs](https://a.b/c "T") and ![a cat](cat.png)', "the docs and a cat"),
    ("see https://www.example.com/a/b?c=d#e.", "see example.com."),
    ("use `code` here, ~~not~~ now", "use code here, not now"),
    ("Great 🎉! Love ❤️ it 👩‍👩‍👧 1️⃣", "Great! Love it 1"),
    ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
    ("<b>bold</b> 1 < 2 and 3 > 2", "bold 1 < 2 and 3 > 2"),
    ("as shown [1] and [^2].", "as shown and."),
    ("---\nNext", "Next"),
    ("[happy] Hi [laugh] you <break/> there", "Hi you there"),
    ("🙂 … !?", ""),
    ("", ""),
]


@pytest.mark.parametrize(("source", "said"), TABLE, ids=[repr(source[:20]) for source, _ in TABLE])
def test_the_table(source, said):
    assert speakable(source).text == said


def test_tags_reach_a_voice_that_understands_them_and_never_a_transcript():
    source = '[say warmly] Hi <break time="1s"/> there. See [1] and [this](http://a.b).'
    assert speakable(source, keep_tags=True).text.startswith('[say warmly] Hi <break time="1s"/> there.')
    assert without_tags(source) == "Hi there. See [1] and [this](http://a.b)."
    assert speakable("[laugh]", keep_tags=True).text == ""


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text(alphabet="ab *_[](){}<>/`|#-\n🎉.:h1", max_size=120)))
def test_every_spoken_character_stands_where_it_says(source):
    for keep_tags in (False, True):
        spoken = speakable(source, keep_tags=keep_tags)
        assert list(spoken.origin) == sorted(set(spoken.origin))
        assert all(char == " " or source[place] == char for char, place in zip(spoken.text, spoken.origin, strict=True))
