"""What people write in conditions, and what comes of it."""

import pytest

from policies import Condition, ConditionError
from policies.cel_engine import CelEngine
from policies.route_index import _message

ENGINE = CelEngine()
MESSAGES = [
    {"role": "system", "content": "be kind"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "Hello"}, {"type": "image_url"}, {"type": "text", "text": "World"}],
    },
    {"role": "assistant", "content": None},
]
VALUES = {
    "tier": "premium",
    "turns": 12,
    "score": 12.0,
    "vip": True,
    "nothing": None,
    "order": {"items": [{"price": 3}, {"price": 5}], "country": "DE"},
    "tags": ["a", "b"],
    "user": "u-42",
    "protocol": "chat",
    "metadata": {"tier": "premium", "odd-key": 1, "order": {"country": "DE"}},
    "voice": {"emotion": "frustrated", "confidence": 0.9},
    "messages": [_message(message) for message in MESSAGES],
}

MATCHING = [
    'tier == "premium"',
    "tier == 'premium' && turns > 3",
    'tier in ["premium", "vip"]',
    '!(tier in ["free"])',
    'tier != "free"',
    "turns == 12.0",
    "score == 12",
    "turns >= 12 && turns <= 12.5",
    "score > 11",
    "turns in [1, 12.0]",
    "12 < turns + 1",
    "vip",
    "vip == true",
    "vip != 1",
    "nothing == null",
    'tier.startsWith("pre") && tier.endsWith("um") && tier.contains("emi")',
    'tier.matches("(?i)^PREM")',
    'tier.matches("emi")',
    "tier.size() == 7",
    "size(tags) == 2",
    '"a" in tags',
    'tags.exists(t, t == "b")',
    'order.country == "DE"',
    "order.items.all(i, i.price > 2)",
    "order.items[1].price == 5",
    "order.items.map(i, i.price * 2)[0] == 6",
    'metadata.tier == "premium"',
    'metadata["odd-key"] == 1',
    'metadata.order.country == "DE"',
    "has(metadata.tier) && !has(metadata.absent)",
    'user == "u-42"',
    'protocol == "chat"',
    'voice.emotion == "frustrated" && voice.confidence > 0.5',
    'messages.first().role == "system"',
    'messages.last().role == "assistant"',
    'messages.last().content == ""',
    'messages.get(1).content == "Hello\\nWorld"',
    "messages.has()",
    "messages.size() == 3",
    'messages[0].content == "be kind"',
    'messages.exists(m, m.role == "user" && m.content.contains("World"))',
    'messages.filter(m, m.role == "user").size() == 1',
    'messages.all(m, m.role != "tool")',
    'messages.filter(m, m.role == "user").first().content.matches("(?i).*hello.*")',
    "true",
    'tier == "premium" || absent == 1',
    'vip ? tier == "premium" : false',
    'timestamp("2026-01-01T00:00:00Z") < timestamp("2027-01-01T00:00:00Z")',
    "type(turns) == int",
]


@pytest.mark.parametrize("expression", MATCHING)
def test_it_matches(expression):
    assert Condition(expression).evaluate(ENGINE.bind(VALUES)) == (True, None)


@pytest.mark.parametrize(
    "expression",
    [
        'tier == "free"',
        "turns > 12",
        "!vip",
        "false",
        'tier == "free" && absent == 1',
        "nothing == 0",
        "vip == 1",
        'turns == "12"',
    ],
)
def test_it_does_not_match_and_nothing_is_wrong(expression):
    assert Condition(expression).evaluate(ENGINE.bind(VALUES)) == (False, None)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('absent == "x"', "absent is not set"),
        ("absent.deeper == 1", "absent is not set"),
        ('turns == 12 && absent == "x"', "absent is not set"),
        ("tier > 3", "No matching overloads"),
        ("turns.startsWith('1')", "No matching overloads"),
        ("nothing > 1", "No matching overloads"),
        ("order.nope == 1", "Key not found"),
        ("tier.deeper == 1", "SELECT"),
        ("turns / 0 == 1", "divide by zero"),
        ('tier.matches("(" + "")', "missing )"),
        ("messages.get(9).role == 'user'", "no item 9 in a list of 3"),
        ("messages.get(-1).role == 'user'", "no item -1 in a list of 3"),
        ("[].first() == 1", "no item 0 in a list of 0"),
        ("turns", "gives int, not a truth value"),
    ],
)
def test_it_does_not_match_and_the_record_says_why(expression, reason):
    matched, error = Condition(expression).evaluate(ENGINE.bind(VALUES))
    assert not matched
    assert reason in error


@pytest.mark.parametrize(
    ("expression", "line", "column", "message"),
    [
        ("tier ==", 1, 8, "it ends too early: a value or a closing bracket is missing"),
        ("(a", 1, 3, "it ends too early"),
        ("a == 1 and b", 1, 8, "'and' is no operator; write '&&'"),
        ("a OR b", 1, 3, "'OR' is no operator; write '||'"),
        ("!a && not b", 1, 11, "'not' is no operator; write '!'"),
        ("a b", 1, 3, "'b' is not expected here"),
        ('tier = "x"', 1, 6, "equality is '=='"),
        ("tier ==\n  * 3", 2, 3, "'*' is not expected here"),
        ("", 1, 1, "it ends too early"),
        ("shout(tier)", 1, 6, "no such function 'shout'"),
        ('tier == "a" && tier.lower() == "b"', 1, 26, "no such function 'lower'"),
        ('1 + "a" == 2', 1, 3, "no matching overload"),
        ("1 + 1", 1, 1, "a condition must be true or false, this gives int"),
        ('"yes"', 1, 1, "this gives string"),
        ("has(tier)", 1, 5, "has() argument must be a field selection"),
        ("package == 1", 1, 1, "reserved identifier"),
        ("(" * 100 + "a" + ")" * 100, 1, 1, "recursion limit"),
        ("a == 1 || " * 20_000 + "b == 1", 1, 1, "size exceeds"),
        ("\ud800 == 1", 1, 1, "not valid Unicode"),
        ('type == "x"', 1, 6, "no matching overload"),
        ('has(metadata.a) && [1].exists(n, tier.matches("("))', 1, 1, "invalid regular expression: missing )"),
    ],
)
def test_what_cannot_compile_is_refused_with_its_place(expression, line, column, message):
    with pytest.raises(ConditionError, match=r".") as refused:
        Condition(expression)
    assert message in refused.value.message
    assert (refused.value.line, refused.value.column) == (line, column)
    assert refused.value.expression == expression


@pytest.mark.parametrize(
    ("expression", "references"),
    [
        ("true", set()),
        ('tier == "a" && metadata.x == 1 || voice.emotion == "b"', {"tier", "metadata", "voice"}),
        ("messages.exists(m, m.role == user)", {"messages", "user"}),
        ("items.exists(x, x == x2) && x == 1", {"items", "x2", "x"}),
        ("type(turns) == int", {"turns"}),
        ('{"k": value, other: 1}["k"] == 1', {"value", "other"}),
        ("intent in [a, b] ? c : d", {"intent", "a", "b", "c", "d"}),
        ("has(order.country)", {"order"}),
    ],
)
def test_it_says_which_variables_it_asks_for(expression, references):
    assert Condition(expression).references() == references


def test_an_endless_loop_is_stopped_by_the_budget():
    values = {"messages": list(range(200))}
    loop = Condition("messages.all(a, messages.all(b, a + b >= 0))")
    assert loop.evaluate(ENGINE.bind(values)) == (False, "Iteration budget exceeded")


@pytest.mark.parametrize("value", ["\ud800", ["x\ud800"], {"\ud800": "\ud800"}])
def test_half_a_character_does_not_disturb(value):
    bindings = ENGINE.bind({"odd": value, "tier": "premium", "number": 3})
    assert Condition('odd != "x" && tier == "premium"').evaluate(bindings) == (True, None)


@pytest.mark.parametrize("value", [2**70, (1, 2), object()])
def test_a_value_outside_of_cel_is_named_without_being_quoted(value):
    assert Condition('odd == "x"').evaluate(ENGINE.bind({"odd": value})) == (
        False,
        "a value is outside of the types of CEL",
    )


def test_conditions_are_values():
    assert Condition("a == 1") == Condition("a == 1")
    assert Condition("a == 1") != Condition("a == 2")
    assert Condition("a == 1") != "a == 1"
    assert len({Condition("a == 1"), Condition("a == 1")}) == 1
    assert repr(Condition("a == 1")) == "Condition('a == 1')"
    assert Condition("true").always
    assert not Condition("1 == 1").always


class Fixed:
    """An engine that knows one answer: the port is small enough to be filled in by hand."""

    def __init__(self, answer):
        self.answer = answer

    def parse(self, expression):
        return ENGINE.parse("true")

    def compile(self, expression, variables):
        return self

    def run(self, bindings):
        return self.answer


def test_another_engine_fits_behind_the_port():
    assert Condition("whatever it says", Fixed(answer=True)).evaluate(ENGINE.bind({})) == (True, None)
