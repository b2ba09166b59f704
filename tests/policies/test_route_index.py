"""The tables find what the engine would have found, route by route."""

import random

import pytest

from policies import Condition, Facts, ModelChoice, Route, Variant
from policies.cel_engine import CelEngine
from policies.guard import Guard, Question
from policies.route_index import RouteIndex

ENGINE = CelEngine()
ANY = (Variant("only", 100, ModelChoice("demo/fast")),)


def routes(*expressions):
    return [Route(f"r{place}", ANY, Condition(text) if text else None) for place, text in enumerate(expressions)]


def first(facts, *expressions):
    route, tested = RouteIndex(routes(*expressions)).first(facts)
    return route and route.id, [(test.route_id, test.matched, test.error) for test in tested]


@pytest.mark.parametrize(
    ("expression", "guards", "guarded"),
    [
        ('tier == "a"', (Guard("tier", Question.IS, ("a",)),), True),
        ('"a" == metadata.tier', (Guard("tier", Question.IS, ("a",)),), True),
        ('tier in ["a", 1, 2.5, true]', (Guard("tier", Question.IS, ("a", 1, 2.5, True)),), True),
        ('tier == "a" || tier == "b"', (Guard("tier", Question.IS, ("a", "b")),), True),
        ('tier != "a"', (Guard("tier", Question.IS_NOT, ("a",)),), True),
        ('!(tier in ["a"])', (Guard("tier", Question.IS_NOT, ("a",)),), True),
        (
            "turns > -3 && 5 >= turns",
            (Guard("turns", Question.ABOVE, (-3,)), Guard("turns", Question.AT_MOST, (5,))),
            True,
        ),
        ('voice.emotion == "x" && vip', (Guard("voice.emotion", Question.IS, ("x",)),), False),
        ('tier == "a" || turns == 1', (), False),
        ('tier == "a" || tier != "b"', (), False),
        ('tier == "a" || vip', (), False),
        ('tier > "a"', (), False),
        ("tier == other", (), False),
        ("tier in words", (), False),
        ("tier == null", (), False),
        ("turns == 3u", (), False),
        ('tier == b"a"', (), False),
        ("1 == 1", (), False),
        ("metadata == 1", (), False),
        ("metadata.user == 1", (), False),
        ("has(metadata.x)", (), False),
        ("!vip", (), False),
        ("true", (), False),
    ],
)
def test_guards_are_what_must_hold(expression, guards, guarded):
    condition = Condition(expression)
    assert (condition.guards, condition.guarded) == (guards, guarded)


def test_routes_are_tested_in_order_up_to_the_match():
    facts = Facts("m", metadata={"tier": "b", "turns": 3})
    assert first(facts, 'tier == "a"', "turns > 3", "turns + 1 == 4", 'tier == "b"') == (
        "r2",
        [("r0", False, None), ("r1", False, None), ("r2", True, None)],
    )


def test_what_is_not_set_is_said_and_nothing_matches():
    assert first(Facts("m"), 'tier == "a"', "absent.x == 1", 'voice.emotion == "x"', 'user != "u"') == (
        None,
        [
            ("r0", False, "tier is not set"),
            ("r1", False, "absent is not set"),
            ("r2", False, "voice.emotion is not set"),
            ("r3", False, "user is not set"),
        ],
    )


def test_a_comparison_with_the_wrong_type_is_left_to_the_engine_to_explain():
    found, tested = first(Facts("m", metadata={"turns": "many"}), "turns > 3", 'turns == "many"')
    assert found == "r1"
    assert "No matching overloads" in tested[0][2]
    assert (
        first(Facts("m", metadata={"turns": 2**70}), "turns > 3")[1][0][2] == "a value is outside of the types of CEL"
    )


def test_built_ins_win_over_metadata_of_the_same_name():
    shadow = {"user": "meta", "protocol": "meta", "messages": "meta", "metadata": "meta", "voice": "meta"}
    facts = Facts(
        "m", user="u", metadata=shadow, voice={"emotion": "calm"}, messages=({"role": "user", "content": "hi"},)
    )
    for expression in (
        'user == "u"',
        'protocol == "chat"',
        'messages.last().content == "hi"',
        'metadata.user == "meta"',
        'voice.emotion == "calm"',
        'user + protocol == "uchat"',
    ):
        assert first(facts, expression)[0] == "r0", expression
    assert first(Facts("m", metadata=shadow), 'user == "meta"', "false")[0] == "r0"
    assert first(Facts("m", metadata=shadow), 'user + "" == "meta"')[0] == "r0"


def test_a_route_without_a_condition_and_a_literal_true_always_match():
    assert first(Facts("m"), "", "true") == ("r0", [("r0", True, None)])
    assert first(Facts("m"), "true") == ("r0", [("r0", True, None)])


def test_two_guards_in_one_table_are_judged_by_the_engine():
    facts = Facts("m", metadata={"n": 1})
    assert first(facts, "n in [1, 2] && n == 2", "n > 0 && n > 5", "n != 5 && n != 6")[0] == "r2"


def test_records_are_shared_only_as_long_as_there_are_few_kinds(monkeypatch):
    monkeypatch.setattr("policies.route_index.SHARED_RECORDS", 1)
    index = RouteIndex(routes("a == 1", "b == 1"))
    for metadata in ({}, {"a": 0}, {"b": 0}, {}, {"a": 0}):
        tested = index.first(Facts("m", metadata=metadata))[1]
        expected = [None if key in metadata else f"{key} is not set" for key in "ab"]
        assert [test.error for test in tested] == expected
    assert len(index._records) == 1


def test_a_parts_array_without_text_is_empty_text():
    facts = Facts(
        "m", messages=({"role": "user", "content": [{"type": "image_url"}, "odd", {"text": 3}]}, {"role": "x"})
    )
    assert first(facts, 'messages[0].content == "" && messages[1].content == ""')[0] == "r0"


VALUES = (
    "a",
    "b",
    "",
    1,
    2,
    3,
    1.0,
    2.5,
    -1,
    True,
    False,
    None,
    [1],
    {"x": 1},
    2**53 + 1,
    float(2**53),
    2**63 - 1,
    float("nan"),
)
LITERALS = ('"a"', '"b"', "1", "2", "3.0", "2.5", "-1", "true", "false", "9007199254740993", "9007199254740992.0")
NUMBERS = ("1", "2", "2.5", "-1.0", "3", "9007199254740993", "9007199254740992.0", "0")


def atom(chance):
    name = chance.choice(("x", "y", "metadata.x", "voice.z"))
    match chance.randrange(6):
        case 0:
            return f"{name} {chance.choice(('==', '!='))} {chance.choice(LITERALS)}"
        case 1:
            return f"{name} in [{', '.join(chance.sample(LITERALS, 2))}]"
        case 2:
            return f"!({name} in [{chance.choice(LITERALS)}])"
        case 3:
            return f"{name} {chance.choice(('<', '<=', '>', '>='))} {chance.choice(NUMBERS)}"
        case 4:
            return f"{chance.choice(NUMBERS)} {chance.choice(('<', '<=', '>', '>='))} {name}"
        case _:
            return f"({name} == {chance.choice(LITERALS)} || {name} == {chance.choice(LITERALS)})"


def test_the_tables_agree_with_the_engine_on_random_rules_and_requests():
    chance = random.Random(20261120)
    for _ in range(60):
        rules = [" && ".join(atom(chance) for _ in range(chance.randrange(1, 4))) for _ in range(12)]
        made = routes(*rules)
        for _ in range(20):
            metadata = {key: chance.choice(VALUES) for key in "xy" if chance.random() < 0.9}
            voice = {"z": chance.choice(VALUES)} if chance.random() < 0.9 else {}
            bindings = ENGINE.bind({**metadata, "metadata": metadata, "voice": voice})
            for route in made:
                alone = RouteIndex([route]).first(Facts("m", metadata=metadata, voice=voice))[0] is route
                truth = route.condition.evaluate(bindings)[0]
                assert alone == truth, (route.condition, metadata, voice)
            together = RouteIndex(made).first(Facts("m", metadata=metadata, voice=voice))[0]
            expected = next((route for route in made if route.condition.evaluate(bindings)[0]), None)
            assert together is expected, (rules, metadata, voice)


@pytest.mark.parametrize(
    ("metadata", "expressions", "expected"),
    [
        ({}, ['language == "es"'], "language"),
        ({"tier": "b"}, ['tier == "a" && language == "es"'], None),
        ({"tier": "a"}, ['tier == "a" && language == "es"'], "language"),
        ({}, ['tier == "a" && language == "es"'], None),
        ({"tier": "a"}, ['tier == "a"', 'language == "es"'], None),
        ({"tier": "a"}, [None, 'language == "es"'], None),
        ({"tier": "a"}, ['tier == "a" || language == "es"'], None),
        ({"tier": "b"}, ['tier == "a" || intent == "x"'], "intent"),
        ({"tier": "b"}, ['tier == "a"', "vip"], None),
        ({}, ["vip", 'language == "es"'], "language"),
        ({}, [], None),
    ],
)
def test_it_says_which_unset_variable_the_route_depends_on(metadata, expressions, expected):
    index = RouteIndex(routes(*expressions))
    assert index.depends(Facts("router/x", metadata=metadata), frozenset({"language", "intent"})) == expected


def test_it_remembers_only_so_many_answers_and_stays_right(monkeypatch):
    monkeypatch.setattr("policies.route_index.REMEMBERED", 2)
    index = RouteIndex(routes('tier == "t3"', 'language == "es"'))
    for _ in range(2):
        for number in range(5):
            facts = Facts("router/x", metadata={"tier": f"t{number}"})
            route, _ = index.first(facts)
            assert (route and route.id) == ("r0" if number == 3 else None)
            for _ in range(2):
                assert index.depends(facts, frozenset({"language"})) == (None if number == 3 else "language")
    whole = RouteIndex(routes('messages.last().content == "x" || language == "es"'))
    facts = Facts("router/x", messages=({"role": "user", "content": "y"},))
    assert whole.depends(facts, frozenset({"language"})) == "language"


def test_true_and_one_are_not_the_same_answer_though_python_takes_them_for_equal():
    index = RouteIndex([Route("one", ANY, Condition("turns == 1 && country != ''"))])
    for turns, found in ((1, "one"), (True, None), (1, "one"), (1.0, "one"), (2, None)):
        route, _ = index.first(Facts("m", metadata={"turns": turns, "country": "DE"}))
        assert (route.id if route else None) == found, turns
