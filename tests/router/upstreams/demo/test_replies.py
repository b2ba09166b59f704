import pytest

from router.upstreams.demo.numbers import from_words, in_words
from router.upstreams.demo.replies import reply_text


def said(*texts):
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["count to 5"], "one, two, three, four, five."),
        (["Please count to three, slowly"], "one, two, three."),
        (["count from five to three"], "five, four, three."),
        (["Say hello there!"], "hello there!"),
        (["can you repeat after me: good bye"], "good bye"),
        (['say "guten Tag"'], "guten Tag"),
        (["My name is Anna and my favourite colour is dark blue.", "What is my favourite colour?"],
         "Your favourite colour is dark blue."),
        (["my name is anna", "hello", "what is my name"], "Your name is anna."),
        (["My dog's name is Rex. What is my dog's name?"], "Your dog's name is Rex."),
        (["My name is Anna", "No, my name is Bea", "Do you remember my name?"], "Your name is Bea."),
        (["My budget is 3.50 dollars.", "what was my budget?"], "Your budget is 3.50 dollars."),
        (["What is my name?"], "You said: What is my name, and this is demo/fast."),
        (["hello there"], "You said: hello there, and this is demo/fast."),
        ([""], "You said nothing, and demo/fast has heard it."),
        (["count to banana"], "You said: count to banana, and this is demo/fast."),
    ],
)  # fmt: skip
def test_the_reply_follows_the_rules(texts, answer):
    assert reply_text(said(*texts), "demo/fast") == answer


def test_content_parts_are_read_as_text():
    parts = [
        {"type": "text", "text": "say"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "cheese"},
    ]
    assert reply_text([{"role": "user", "content": parts}], "demo/fast") == "cheese"


def test_the_smart_target_answers_at_more_length():
    short, long = (reply_text(said("hi there"), "demo/smart", long=long) for long in (False, True))
    assert long.startswith(short)
    assert "message one from you, and it has two words" in long


def test_tool_results_are_read_back_with_the_name_of_the_tool():
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        *said("weather in Paris?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"temperature": 21, "sky": ["clear", "blue"]}'},
    ]
    assert reply_text(messages, "demo/fast") == "get_weather says: temperature 21, sky clear, blue."
    assert reply_text([*messages, *said("say thanks")], "demo/fast") == "thanks"


def test_lone_surrogates_and_odd_shapes_do_no_harm():
    assert reply_text(said("say a\ud800b"), "demo/fast") == "a?b"
    odd = [{"role": "user", "content": 7}, {"role": "tool", "content": None}, {"role": "assistant", "tool_calls": 3}]
    assert reply_text(odd, "demo/fast") == "You said nothing, and demo/fast has heard it."


@pytest.mark.parametrize("number", [0, 7, 13, 20, 21, 99, 100, 105, 340, 999, 1000, 1234, 9999])
def test_numbers_read_as_they_are_spelled(number):
    assert from_words(in_words(number).split()) == number


def test_words_that_are_no_number_are_none():
    assert from_words(["banana"]) is None
    assert in_words(10_000) == "10000"
    assert from_words(["twenty", "five", "apples"]) == 25
