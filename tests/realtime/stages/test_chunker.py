"""Chunking: a table of sentences, and that nothing is lost however the text was cut into tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.stages.chunker import MAX_CHARS, Chunker, chunks_of, merged

TABLE = [
    ("Hello there, my friend. How are you? Fine!", ["Hello there,", "my friend.", "How are you?", "Fine!"]),
    ("Well, yes. No, sorry.", ["Well, yes.", "No, sorry."]),  # a first clause below 12 characters is not worth a cut
    ("Dr. Smith met Mrs. Jones at St. Paul's.", ["Dr. Smith met Mrs. Jones at St. Paul's."]),
    ("It costs $3.50 or 1,299.99 at 10:30.", ["It costs $3.50 or 1,299.99 at 10:30."]),
    ("By J. K. Rowling and J.R.R. Tolkien.", ["By J. K. Rowling and J.R.R. Tolkien."]),
    ("Fruit, e.g. apples, i.e. good ones etc. are here.", ["Fruit, e.g. apples,", "i.e. good ones etc. are here."]),
    ("It was 5 p.m. Then he left.", ["It was 5 p.m.", "Then he left."]),
    ("It was 5 p.m. when he left.", ["It was 5 p.m. when he left."]),
    ("In the U.S. it is so. I live in the U.S. You too?", ["In the U.S. it is so.", "I live in the U.S.", "You too?"]),
    ("So do I. Then go.", ["So do I.", "Then go."]),
    ("See https://a.b/c?d=1.5&e=f! Then www.x.com. Ok", ["See a.b!", "Then www.x.com.", "Ok"]),
    ("Version 2.0.1 is out. Get it", ["Version 2.0.1 is out.", "Get it"]),
    ("Well... maybe. Hm... No!", ["Well... maybe.", "Hm...", "No!"]),
    ("Really?! Yes!! Sure.", ["Really?!", "Yes!!", "Sure."]),
    ('He said "Stop." Then (at last.) he left.', ['He said "Stop."', "Then (at last.)", "he left."]),
    ("Steps:\n1. Mix it.\n2. Bake it.\n", ["Steps:", "1. Mix it.", "2. Bake it."]),
    ("Wait!Now go.", ["Wait!", "Now go."]),
    ("你好！今天天气很好，我们去公园吧。好吗？", ["你好！", "今天天气很好，我们去公园吧。", "好吗？"]),
    ("「行こう。」と言った。はい。", ["「行こう。」", "と言った。", "はい。"]),
    ("¿Cómo estás? ¡Muy bien! El Sr. García vino.", ["¿Cómo estás?", "¡Muy bien!", "El Sr. García vino."]),
    ("Das kostet z.B. 3,50 Euro. Gut.", ["Das kostet z.B. 3,50 Euro.", "Gut."]),
    ("क्या हाल है। ठीक है।", ["क्या हाल है।", "ठीक है।"]),
    ("**Sure!** I *can* do it.", ["Sure!", "I can do it."]),
    ("Look:\n```python\nprint('a. b')\n```\nDone.", ["Look:", "Done."]),
    ("Hi [say it slowly, please] there. Ok.", ["Hi there.", "Ok."]),
    ('Now <break time="1.5s"/> go. Ok.', ["Now go.", "Ok."]),
]


@pytest.mark.parametrize(("text", "spoken"), TABLE, ids=[text[:30] for text, _ in TABLE])
def test_the_table(text, spoken):
    chunks = chunks_of(text)
    assert [chunk.spoken().text for chunk in chunks if chunk.spoken().text] == spoken
    assert "".join(chunk.source for chunk in chunks) == text


@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(
        st.lists(st.sampled_from([text + " " for text, _ in TABLE]), max_size=6).map("".join),
        st.text(max_size=300),
        st.text(alphabet="aB1.,!? \n[]<>`*。，", max_size=500),
    ),
    data=st.data(),
)
def test_chunks_are_the_text_and_the_same_for_every_tokenisation(text, data):
    chunker, chunks, at = Chunker(), [], 0
    while at < len(text):
        size = data.draw(st.integers(1, 12))
        chunks += chunker.feed(text[at : at + size])
        at += size
    chunks += chunker.flush()
    assert "".join(chunk.source for chunk in chunks) == text
    assert chunks == chunks_of(text)
    assert [chunk.start for chunk in chunks] == [
        sum(len(chunk.source) for chunk in chunks[:n]) for n in range(len(chunks))
    ]
    assert all(0 < len(chunk.source) <= MAX_CHARS for chunk in chunks)
    for chunk in chunks:
        spoken = chunk.spoken()
        assert len(spoken.text) == len(spoken.origin)
        assert list(spoken.origin) == sorted(set(spoken.origin))


def test_a_sentence_leaves_with_the_character_that_confirms_it():
    chunker = Chunker()
    assert chunker.feed("It is done.") == []
    assert [chunk.source for chunk in chunker.feed(" ")] == ["It is done."]


def test_a_long_stretch_is_cut_at_a_clause_else_at_a_space():
    clause = "word " * 20 + "end, " + "more " * 30
    assert chunks_of("First one here. " + clause)[1].source.endswith("end,")
    assert chunks_of("First one here. " + "word " * 60)[1].source.endswith("word")


def test_a_tag_is_never_cut():
    text = "First one here. " + "word " * 36 + '<break time="1.5s"/> ' + "word " * 20
    chunks = chunks_of(text)
    assert [chunk for chunk in chunks if "<" in chunk.source and "/>" not in chunk.source] == []


def test_a_tool_call_flushes_what_there_is():
    chunker = Chunker()
    chunker.feed("Let me look")
    assert [chunk.source for chunk in chunker.flush()] == ["Let me look"]
    assert chunker.flush() == []


@pytest.mark.parametrize(
    ("clause_chars", "first"), [(None, "Well, yes, of course, my friend."), (12, "Well, yes, of course,"), (4, "Well,")]
)
def test_how_early_the_first_segment_may_be_cut_is_a_choice(clause_chars, first):
    chunker = Chunker(clause_chars)
    text = "Well, yes, of course, my friend. And more."
    chunks = [*chunker.feed(text), *chunker.flush()]
    assert chunks[0].spoken().text == first
    assert "".join(chunk.source for chunk in chunks) == text


def test_segments_spoken_in_one_go_still_leave_code_out_and_keep_to_a_length():
    chunks = chunks_of("Look at this:\n```python\nprint('a. b')\n```\nDone. Really.")
    [one] = merged(chunks, 2000)
    assert one.spoken().text == "Look at this: Done. Really."
    assert one.source == "".join(chunk.source for chunk in chunks)
    short = merged(chunks, 20)
    assert len(short) > 1
    assert "".join(chunk.source for chunk in short) == one.source
    assert merged([], 10) == []
